//! The programs: one file a hook family. Every error refuses a labelled process and leaves any other alone.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "the target has no compare-and-swap, so `core` hides the addition that it has")]
#![expect(unsafe_code, reason = "programs talk to the kernel through helpers and raw contexts")]

mod cgroup;
mod connect;
mod create;
mod datagram;
mod egress;
mod exec;
mod kernel;
mod label;
mod maps;
mod ops;
mod packet;
mod peer;
mod report;

/// Some helpers here (reading kernel memory, for cgroups' ids) are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Never runs: the verifier refuses a program in which a panic can be reached.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
