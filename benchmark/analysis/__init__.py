"""What follows from the rows of a report: dial quality and statistics. Imports no torch."""
