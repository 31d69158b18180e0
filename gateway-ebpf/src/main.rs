//! The programs of the redirect layer: one file a family of hooks.
#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "programs call the kernel's helpers and read its contexts")]

mod label;
mod maps;
mod sock;

/// Never reached: the verifier refuses a program that could panic.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Helpers such as `bpf_get_current_ancestor_cgroup_id` are open to programs under a GPL-compatible licence; Apache-2.0
/// alone is none to the kernel, so the object is dual-licensed.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
