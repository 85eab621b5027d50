"""The committed table of exchange sessions and the program that makes it. The calendar reads only the table."""
