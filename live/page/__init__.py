"""The session's picture as a web page of this machine, kept fresh, with four buttons."""
