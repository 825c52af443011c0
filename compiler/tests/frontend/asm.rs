//! A small SPIR-V assembler, for instructions that packaged assemblers are too old to know.

use rspirv::grammar::{OperandKind as K, OperandQuantifier, INSTRUCTION_TABLE};
use std::collections::HashMap;
use std::str::FromStr;

/// Value of an enumerant.
fn enumerant(kind: Option<K>, name: &str) -> u32 {
    fn get<T: FromStr>(name: &str, value: impl Fn(T) -> u32) -> u32 {
        value(T::from_str(name).unwrap_or_else(|_| panic!("no enumerant {name}")))
    }
    match kind {
        Some(K::Capability) => get(name, |v: spirv::Capability| v as u32),
        Some(K::StorageClass) => get(name, |v: spirv::StorageClass| v as u32),
        Some(K::Decoration) => get(name, |v: spirv::Decoration| v as u32),
        Some(K::AddressingModel) => get(name, |v: spirv::AddressingModel| v as u32),
        Some(K::MemoryModel) => get(name, |v: spirv::MemoryModel| v as u32),
        Some(K::ExecutionModel) => get(name, |v: spirv::ExecutionModel| v as u32),
        Some(K::ExecutionMode) => get(name, |v: spirv::ExecutionMode| v as u32),
        Some(K::Dim) => get(&format!("Dim{name}"), |v: spirv::Dim| v as u32),
        Some(K::ImageFormat) => get(name, |v: spirv::ImageFormat| v as u32),
        Some(K::MemoryAccess) if name == "Aligned" => spirv::MemoryAccess::ALIGNED.bits(),
        _ if name == "None" => 0,
        // What follows a decoration.
        _ => get(name, |v: spirv::BuiltIn| v as u32),
    }
}

/// Splits a line at blanks outside of strings.
fn tokens(line: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (i, part) in line.split('"').enumerate() {
        if i % 2 == 1 {
            out.push(format!("\"{part}"));
        } else {
            out.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    out
}

/// Assembles a module of version 1.6: one instruction a line, `;` begins a comment.
pub fn assemble(text: &str) -> Vec<u32> {
    let mut ids: HashMap<String, u32> = HashMap::new();
    let mut id = |name: &str| {
        let next = ids.len() as u32 + 1;
        *ids.entry(name.to_owned()).or_insert(next)
    };
    let mut out = vec![spirv::MAGIC_NUMBER, 0x0001_0600, 0, 0, 0];
    for line in text.lines().map(|l| l.split(';').next().unwrap_or("")) {
        let mut words = tokens(line);
        if words.is_empty() {
            continue;
        }
        let result = (words.len() > 1 && words[1] == "=").then(|| id(&words[0]));
        words.drain(..if result.is_some() { 2 } else { 0 });
        let name = words.remove(0);
        let grammar = INSTRUCTION_TABLE.iter().find(|g| name.strip_prefix("Op") == Some(g.opname));
        let grammar = grammar.unwrap_or_else(|| panic!("no instruction {name}"));
        let mut ops: Vec<u32> = Vec::new();
        let mut kinds = grammar.operands.iter().filter(|o| o.kind != K::IdResult).peekable();
        for word in &words {
            let kind = kinds.peek().map(|o| o.kind);
            if kind == Some(K::IdResultType) {
                ops.push(id(word));
                ops.extend(result);
                kinds.next();
                continue;
            }
            if let Some(text) = word.strip_prefix('"') {
                let mut bytes = text.as_bytes().to_vec();
                bytes.resize((bytes.len() / 4 + 1) * 4, 0);
                ops.extend(bytes.chunks_exact(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())));
            } else if word.starts_with('%') {
                ops.push(id(word));
            } else if let Ok(n) = word.parse::<i64>() {
                ops.push(n as u32);
            } else {
                ops.push(enumerant(kind, word));
            }
            if kinds.peek().is_some_and(|o| o.quantifier != OperandQuantifier::ZeroOrMore) {
                kinds.next();
            }
        }
        if !grammar.operands.iter().any(|o| o.kind == K::IdResultType) {
            if let Some(r) = result {
                ops.insert(0, r);
            }
        }
        out.push((ops.len() as u32 + 1) << 16 | grammar.opcode as u32);
        out.extend(ops);
    }
    out[3] = ids.len() as u32 + 1;
    out
}
