"""Settings of a scenario: typed fields, reading and writing of files, and the messages about them."""
