//! Single messages through what reads them in an established session.

use std::sync::Arc;

use bytes::BytesMut;

use super::super::errors::{Candour, sqlstate, told};
use super::super::message::{Bind, Fields, head};
use super::super::rows::Columns;
use crate::mask::{Answer, Mask, Masker, Masking, Origin, Plan};

/// What came of a message is a message.
pub(in crate::protocol::postgres) fn message(kind: u8, body: &[u8]) {
    match kind {
        4 => drop((head(body), sqlstate(body))),
        5 => {
            if let Ok(bind) = Bind::parse(body) {
                assert!(bind.portal.len() + bind.statement.len() + 2 <= body.len());
                assert!(bind.size() <= body.len() * 64);
            }
        }
        6 => rows(body),
        _ => {
            let mut out = BytesMut::new();
            told(&framed(b'E', body), Candour::Code, &mut out);
            whole(&out);
        }
    }
}

fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("short").to_be_bytes();
    [&[tag][..], &length, body].concat()
}

fn whole(out: &[u8]) {
    assert_eq!(head(out).expect("a length").expect("a head").whole, out.len());
}

/// The first byte: how long the description is; the rest is a row. Masked values are masked, all others are as they came.
fn rows(body: &[u8]) {
    let Some((length, rest)) = body.split_first() else { return };
    let (description, row) = rest.split_at(usize::from(*length).min(rest.len()));
    let masks = vec![None, Some(Mask::Redact), Some(Mask::Null)];
    let origins = Arc::new([(Origin { table: 1, column: 3 }, Mask::Hash)].into());
    let plan = Plan::Masked(Masking { answers: vec![Answer::Columns(masks.clone())], origins });
    let Ok((columns, _)) = Columns::describe(&framed(b'T', description), &plan, 0) else { return };
    let (row, mut out) = (framed(b'D', row), BytesMut::new());
    if columns.mask(&row, &Masker::new([7; 32]), &mut out).is_err() {
        return;
    }
    whole(&out);
    let (mut before, mut after) = (Fields::of(&row), Fields::of(&out));
    let count = before.u16().expect("read before");
    assert_eq!(after.u16().expect("a count"), count);
    if usize::from(count) != masks.len() {
        // The plan does not agree with the description: a row tells no more than one of NULLs does.
        let nulls = [&count.to_be_bytes()[..], &[0xff; 4].repeat(usize::from(count))].concat();
        let mut of_nulls = BytesMut::new();
        columns.mask(&framed(b'D', &nulls), &Masker::new([7; 32]), &mut of_nulls).expect("a row as described");
        return assert_eq!(out, of_nulls);
    }
    for mask in masks {
        let (had, has) = (before.value().expect("read before"), after.value().expect("a value"));
        match (had, mask) {
            (None, _) | (Some(_), Some(Mask::Null)) => assert_eq!(has, None),
            (Some(had), Some(_)) => assert!(has.is_none_or(|has| has != had || has == b"[redacted]")),
            // Where it comes from may have given it a mask.
            (Some(had), None) => assert!(has == Some(had) || !columns.pass()),
        }
    }
}
