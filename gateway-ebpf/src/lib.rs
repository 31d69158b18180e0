//! Types that the eBPF programs and userspace share.
#![no_std]
