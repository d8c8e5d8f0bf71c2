"""A release that cannot be imported, to see that the old one stays."""

raise ImportError("this release is broken on purpose")
