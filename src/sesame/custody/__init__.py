"""Keys are used here and never handed out: a code goes in, which candidates fit comes out."""
