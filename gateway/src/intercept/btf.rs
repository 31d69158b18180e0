//! Where fields are in the running kernel's structures, from its type information (Documentation/bpf/btf.rst).

use std::collections::HashMap;

/// The kernel's description of its own types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

const KIND_INT: u32 = 1;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_ENUM64: u32 = 19;

const MAGIC: u16 = 0xeb9f;

/// Why an offset is not known.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The kernel has no type information.
    #[error("the kernel does not describe its types in {VMLINUX} (CONFIG_DEBUG_INFO_BTF): {0}")]
    Absent(#[from] std::io::Error),
    /// It is not as documented.
    #[error("the kernel's type information in {VMLINUX} is not understood")]
    Malformed,
    /// A structure has no such field.
    #[error("the kernel has no {0}, which a program needs")]
    NoField(String),
}

/// Byte offsets of `wanted` fields, written `structure.field.field`, in the same order.
pub(super) fn offsets(wanted: &[&str]) -> Result<Vec<u32>, BtfError> {
    let bytes = std::fs::read(VMLINUX)?;
    let types = Types::parse(&bytes).ok_or(BtfError::Malformed)?;
    wanted.iter().map(|path| types.offset(path).ok_or_else(|| BtfError::NoField((*path).to_owned()))).collect()
}

struct Member<'a> {
    name: &'a [u8],
    kind: u32,
    /// In bits; its upper byte is a bit field's width where the structure has bit fields.
    offset: u32,
}

/// Structures and unions by number and by name.
struct Types<'a> {
    members: HashMap<u32, Vec<Member<'a>>>,
    by_name: HashMap<&'a [u8], u32>,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(word.try_into().ok()?))
}

fn string(strings: &[u8], at: u32) -> Option<&[u8]> {
    let rest = strings.get(at as usize..)?;
    rest.split(|byte| *byte == 0).next()
}

impl<'a> Types<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let magic = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
        if magic != MAGIC {
            return None;
        }
        let header = word(bytes, 4)? as usize;
        let section = |offset: usize, length: usize| {
            let from = header.checked_add(word(bytes, offset)? as usize)?;
            bytes.get(from..from.checked_add(word(bytes, length)? as usize)?)
        };
        let (types, strings) = (section(8, 12)?, section(16, 20)?);
        let mut found = Types { members: HashMap::new(), by_name: HashMap::new() };
        // Type 0 is void and not in the table.
        let (mut at, mut number) = (0_usize, 1_u32);
        while at < types.len() {
            let (name, info) = (string(strings, word(types, at)?)?, word(types, at.checked_add(4)?)?);
            let (kind, count) = ((info >> 24) & 0x1f, (info & 0xffff) as usize);
            at = at.checked_add(12)?;
            if kind == KIND_STRUCT || kind == KIND_UNION {
                let fields = info >> 31 == 1;
                let members = (0..count).map(|n| member(types, strings, at.checked_add(n.checked_mul(12)?)?, fields));
                found.members.insert(number, members.collect::<Option<_>>()?);
                // A forward declaration is another kind, so the first of a name is the structure.
                found.by_name.entry(name).or_insert(number);
            }
            let after = match kind {
                KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
                KIND_ARRAY => 12,
                KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => count.checked_mul(12)?,
                KIND_ENUM | KIND_FUNC_PROTO => count.checked_mul(8)?,
                _ => 0,
            };
            at = at.checked_add(after)?;
            number = number.checked_add(1)?;
        }
        Some(found)
    }

    fn offset(&self, path: &str) -> Option<u32> {
        let mut parts = path.split('.');
        let mut structure = *self.by_name.get(parts.next()?.as_bytes())?;
        let mut bits = 0_u32;
        for part in parts {
            let (offset, kind) = self.field(structure, part.as_bytes(), 0)?;
            bits = bits.checked_add(offset)?;
            structure = kind;
        }
        (bits.is_multiple_of(8)).then_some(bits / 8)
    }

    /// Offset in bits and type of a field, also in the unnamed structures and unions of one.
    fn field(&self, structure: u32, name: &[u8], depth: u32) -> Option<(u32, u32)> {
        let members = self.members.get(&structure)?;
        if let Some(member) = members.iter().find(|member| member.name == name) {
            return Some((member.offset, member.kind));
        }
        let unnamed = members.iter().filter(|member| member.name.is_empty() && depth < 8);
        unnamed.into_iter().find_map(|member| {
            let (offset, kind) = self.field(member.kind, name, depth + 1)?;
            Some((member.offset.checked_add(offset)?, kind))
        })
    }
}

fn member<'a>(types: &[u8], strings: &'a [u8], at: usize, fields: bool) -> Option<Member<'a>> {
    let offset = word(types, at.checked_add(8)?)?;
    Some(Member {
        name: string(strings, word(types, at)?)?,
        kind: word(types, at.checked_add(4)?)?,
        offset: if fields { offset & 0x00ff_ffff } else { offset },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernel_says_where_its_fields_are() {
        let found = offsets(&["list_head.next", "list_head.prev", "cgroup.kn", "cgroup.self.parent"]).unwrap();
        assert_eq!(found[..2], [0, 8]);
        assert!(found[2] > 0 && found[3] > 0);
        assert!(matches!(offsets(&["cgroup.no_such_field"]), Err(BtfError::NoField(_))));
    }

    #[test]
    fn what_is_cut_or_no_type_information_is_an_error_and_no_panic() {
        let bytes = std::fs::read(VMLINUX).unwrap();
        for length in [0, 1, 23, 24, 1000, bytes.len() / 2] {
            assert!(Types::parse(&bytes[..length]).is_none());
        }
        assert!(Types::parse(&[0; 64]).is_none());
    }
}
