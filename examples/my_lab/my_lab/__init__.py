"""Methods of my lab: every file of this package registers one."""
