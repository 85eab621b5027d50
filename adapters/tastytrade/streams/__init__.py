"""DXLink and the account stream: state machines without sockets, and the feeds that keep them alive."""
