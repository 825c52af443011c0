//! From registry names and C types to the names and types of the `ash` bindings.

use super::Input;
use crate::registry::Decl;
use heck::ToSnakeCase;

/// `vkQueueSubmit2` → `queue_submit2`.
pub fn command(name: &str) -> String {
    name.strip_prefix("vk").unwrap_or(name).to_snake_case()
}

/// `pNext` → `p_next`; words of the language get the spelling the bindings use.
pub fn member(name: &str) -> String {
    match name {
        "type" => "ty".to_owned(),
        n => n.to_snake_case(),
    }
}

/// The name of an accessor or argument for a pointer: `pRegions` → `regions`.
pub fn pointee(name: &str) -> String {
    let snake = member(name);
    for prefix in ["pp_", "p_"] {
        if let Some(rest) = snake.strip_prefix(prefix) {
            return rest.to_owned();
        }
    }
    snake
}

/// `VkFooFlagBits` → `FooFlags`: the bindings have one type for both.
pub fn short(ty: &str) -> String {
    ty.strip_prefix("Vk").unwrap_or(ty).replace("FlagBits", "Flags")
}

/// The module that defines a type or a command's function pointer type: the bindings', or ours for what they lack.
pub fn module(input: &Input, name: &str) -> &'static str {
    let canonical = input.reg.canonical_command(input.reg.canonical_type(name));
    if input.reg.unbound.contains(canonical) {
        "types"
    } else {
        "vk"
    }
}

/// The Rust spelling of a registry type; `lifetime` is appended to structures that hold pointers.
pub fn base(input: &Input, ty: &str, lifetime: &str) -> String {
    match ty {
        "void" => return "c_void".to_owned(),
        "char" => return "c_char".to_owned(),
        "float" => return "f32".to_owned(),
        "double" => return "f64".to_owned(),
        "int" => return "c_int".to_owned(),
        "size_t" => return "usize".to_owned(),
        "uint8_t" => return "u8".to_owned(),
        "uint16_t" => return "u16".to_owned(),
        "uint32_t" => return "u32".to_owned(),
        "uint64_t" => return "u64".to_owned(),
        "int8_t" => return "i8".to_owned(),
        "int16_t" => return "i16".to_owned(),
        "int32_t" => return "i32".to_owned(),
        "int64_t" => return "i64".to_owned(),
        _ => {}
    }
    if ty.starts_with("PFN_") {
        return format!("{}::{ty}", module(input, ty));
    }
    let (name, module) = (short(ty), module(input, ty));
    if input.reg.has_lifetime(ty) {
        format!("{module}::{name}{lifetime}")
    } else {
        format!("{module}::{name}")
    }
}

/// The raw type of a parameter.
pub fn raw(input: &Input, d: &Decl) -> String {
    let base = base(input, &d.ty, "<'_>");
    if let Some(n) = &d.array {
        return format!("*const [{base}; {n}]");
    }
    match (d.pointers, d.is_const) {
        (0, _) => base,
        (1, true) => format!("*const {base}"),
        (1, false) => format!("*mut {base}"),
        (_, true) => format!("*const *const {base}"),
        (_, false) => format!("*mut *mut {base}"),
    }
}

/// A count of type `ty` as a `usize`.
pub fn count(expression: &str, ty: &str) -> String {
    if ty == "size_t" {
        expression.to_owned()
    } else {
        format!("{expression} as usize")
    }
}
