"""The hand-held reader: a machine without hands, the words on its display, slots for cards."""
