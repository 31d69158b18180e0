//! Reading the kernel's own structures at offsets that userspace takes from the running kernel's BTF.

macro_rules! offset {
    ($name:ident, $what:literal) => {
        #[doc = $what]
        #[unsafe(no_mangle)]
        static $name: u32 = 0;
    };
}
pub(crate) use offset;

/// A field of the structure at `$base`; nothing where the address cannot be read.
macro_rules! read {
    ($type:ty, $base:expr, $offset:ident) => {{
        let mut value: $type = 0;
        // SAFETY: the helper checks the address and fills the value, or fails.
        let failed = unsafe {
            let at = ($base + u64::from(core::ptr::read_volatile(&raw const $offset))) as *const core::ffi::c_void;
            aya_ebpf::helpers::generated::bpf_probe_read_kernel(
                core::ptr::from_mut(&mut value).cast(),
                size_of::<$type>() as u32,
                at,
            )
        };
        if failed == 0 { Some(value) } else { None }
    }};
}
pub(crate) use read;
