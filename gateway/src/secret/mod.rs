//! Where a credential comes from: files, the environment, programs.
