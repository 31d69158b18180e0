//! Guards and servers that the end-to-end suites share.
