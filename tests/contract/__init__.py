"""What scripts may rely on, tried from outside: the program as a process, the pages over HTTP."""
