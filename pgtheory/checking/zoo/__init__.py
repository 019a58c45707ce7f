"""Known bugs as small wrong functions, each beside the right one."""
