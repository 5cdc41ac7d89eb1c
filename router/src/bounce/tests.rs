//! Reports, read back by another parser.
