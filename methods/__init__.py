"""Control methods: one file, one method, one class."""
