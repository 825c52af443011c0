//! The type table.

use super::coop::CoopTy;
use super::error::{limits, Error, R};
use super::module::Inst;
use super::small_float::SmallFloat;
use crate::hash::HashMap;
use crate::sir::{ImageDim, ImageFormat, Type};
use spirv::{Dim, Op, StorageClass as SC, TensorClampMode};
use std::rc::Rc;

/// Declared shape of an image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ImageTy {
    pub sampled_type: u32,
    pub dim: ImageDim,
    pub arrayed: bool,
    pub ms: bool,
    /// Storage image or storage texel buffer, not a sampled one.
    pub storage: bool,
    /// Of storage images.
    pub format: Option<ImageFormat>,
}

impl ImageTy {
    /// Number of coordinates of a texel address without the layer.
    pub fn dims(&self) -> usize {
        match self.dim {
            ImageDim::D1 | ImageDim::Buffer => 1,
            ImageDim::D2 => 2,
            ImageDim::D3 | ImageDim::Cube => 3,
        }
    }
}

/// A SPIR-V type; other types are named by id.
#[derive(Clone, Debug)]
pub(super) enum Ty {
    Void,
    Bool,
    Int {
        bits: u32,
        signed: bool,
    },
    Float {
        bits: u32,
    },
    /// A floating-point format without arithmetic: its values travel as integers of the same width.
    SmallFloat(SmallFloat),
    Vector {
        elem: u32,
        n: u32,
    },
    Matrix {
        col: u32,
        n: u32,
    },
    Array {
        elem: u32,
        len: u32,
    },
    RuntimeArray {
        elem: u32,
    },
    Struct(Rc<[u32]>),
    Pointer {
        class: SC,
        pointee: u32,
    },
    Function {
        ret: u32,
        params: Rc<[u32]>,
    },
    Image(Rc<ImageTy>),
    Sampler,
    SampledImage(u32),
    /// A matrix spread over the invocations of a scope. Its scalars are this invocation's share.
    CoopMatrix(CoopTy),
    /// `OpTypeTensorLayoutNV`: number of dimensions and what happens to coordinates out of bounds.
    TensorLayout {
        dims: u32,
        clamp: TensorClampMode,
    },
    /// `OpTypeTensorViewNV`: order of the dimensions, and whether the view has dimensions of its own.
    TensorView {
        order: Rc<[u32]>,
        has_dims: bool,
    },
    /// A buffer descriptor in a heap.
    Buffer,
}

/// A type and what follows from it alone.
#[derive(Clone, Debug)]
pub(super) struct Info {
    pub ty: Ty,
    /// Scalars it flattens to, if it is a value type.
    pub leaves: Option<u64>,
    /// Size and alignment in the natural (undecorated) layout.
    pub size: u64,
    pub align: u32,
    /// Of structures: scalars before each member, and byte offset of each in the natural layout.
    pub members: Rc<[(u64, u64)]>,
    depth: u32,
}

/// All types of a module, and some layout-free facts.
#[derive(Default)]
pub(super) struct Types {
    /// Invocations that share a cooperative matrix, of scope Subgroup and Workgroup.
    lanes: super::coop::Lanes,
    map: HashMap<u32, Info>,
    flat: HashMap<u32, Rc<[Type]>>,
    by_scalar: HashMap<(u32, u32), u32>,
}

/// Pointee of untyped pointers: no type.
pub(super) const UNTYPED: u32 = 0;

/// How a pointer of a storage class is held as scalars, if it can be.
pub(super) fn pointer_leaves(class: SC) -> Option<&'static [Type]> {
    match class {
        SC::StorageBuffer => Some(&[Type::I64, Type::I64]),
        SC::Workgroup => Some(&[Type::I32]),
        SC::PhysicalStorageBuffer => Some(&[Type::I64]),
        _ => None,
    }
}

impl Types {
    /// An empty table.
    pub fn new(lanes: super::coop::Lanes) -> Types {
        Types { lanes, ..Types::default() }
    }

    pub fn info(&self, id: u32) -> R<&Info> {
        self.map.get(&id).ok_or_else(|| Error::invalid(format!("%{id} is not a type")))
    }

    pub fn get(&self, id: u32) -> R<&Ty> {
        Ok(&self.info(id)?.ty)
    }

    /// Scalars a value of the type flattens to.
    pub fn leaf_count(&self, id: u32) -> R<usize> {
        match self.info(id)?.leaves {
            Some(n) if n <= limits::LEAVES => Ok(n as usize),
            Some(n) => Err(Error::limit(format!("a value of type %{id} has {n} scalars"))),
            None => Err(Error::invalid(format!("type %{id} cannot be the type of a value"))),
        }
    }

    /// The scalar types a value of the type flattens to, in order.
    pub fn flatten(&mut self, id: u32) -> R<Rc<[Type]>> {
        if let Some(f) = self.flat.get(&id) {
            return Ok(f.clone());
        }
        let n = self.leaf_count(id)?;
        let mut out = Vec::with_capacity(n);
        self.collect(id, &mut out)?;
        let out: Rc<[Type]> = out.into();
        // Large ones are made again instead of being kept, so that many array types do not add up.
        if n <= 256 {
            self.flat.insert(id, out.clone());
        }
        Ok(out)
    }

    fn collect(&self, id: u32, out: &mut Vec<Type>) -> R<()> {
        if self.info(id)?.leaves == Some(0) {
            return Ok(());
        }
        match self.get(id)? {
            Ty::Vector { elem, n } => {
                let t = self.scalar(*elem)?;
                out.extend(std::iter::repeat_n(t, *n as usize));
            }
            Ty::Matrix { col: elem, n } | Ty::Array { elem, len: n } => {
                let start = out.len();
                if *n > 0 {
                    self.collect(*elem, out)?;
                    let one = out.len() - start;
                    for _ in 1..*n {
                        out.extend_from_within(start..start + one);
                    }
                }
            }
            Ty::Struct(members) => {
                for m in members.iter() {
                    self.collect(*m, out)?;
                }
            }
            Ty::CoopMatrix(m) => out.extend(std::iter::repeat_n(self.scalar(m.elem)?, m.regs() as usize)),
            Ty::TensorLayout { .. } | Ty::TensorView { .. } => {
                out.extend(std::iter::repeat_n(Type::I32, self.leaf_count(id)?));
            }
            Ty::Pointer { class, .. } => {
                let leaves = pointer_leaves(*class)
                    .ok_or_else(|| Error::unsupported(format!("pointers to {class:?} as data")))?;
                out.extend_from_slice(leaves);
            }
            _ => out.push(self.scalar(id)?),
        }
        Ok(())
    }

    /// The scalar type of a Bool, integer or float type.
    pub fn scalar(&self, id: u32) -> R<Type> {
        self.scalar_opt(id).ok_or_else(|| Error::invalid(format!("type %{id} is not a scalar")))
    }

    fn scalar_opt(&self, id: u32) -> Option<Type> {
        match self.get(id).ok()? {
            Ty::Bool => Some(Type::Bool),
            Ty::Int { bits, .. } => Type::int(*bits),
            Ty::Float { bits } => Type::float(*bits),
            Ty::SmallFloat(f) => Type::int(f.bits()),
            _ => None,
        }
    }

    /// Component type id and count of a scalar (count 1), vector, or this invocation's share of a cooperative matrix.
    pub fn components(&self, id: u32) -> R<(u32, u32)> {
        match *self.get(id)? {
            Ty::Vector { elem, n } => Ok((elem, n)),
            Ty::CoopMatrix(m) => Ok((m.elem, m.regs())),
            Ty::Bool | Ty::Int { .. } | Ty::Float { .. } | Ty::SmallFloat(_) => Ok((id, 1)),
            _ => Err(Error::invalid(format!("type %{id} is not a scalar or vector"))),
        }
    }

    /// Scalar type and count of a scalar (count 1) or vector.
    pub fn vector(&self, id: u32) -> R<(Type, u32)> {
        let (elem, n) = self.components(id)?;
        Ok((self.scalar(elem)?, n))
    }

    /// Whether a scalar or vector type has signed integer components.
    pub fn is_signed(&self, id: u32) -> bool {
        self.components(id).is_ok_and(|(e, _)| matches!(self.get(e), Ok(Ty::Int { signed: true, .. })))
    }

    /// The small floating-point format of a scalar, of a vector's or of a cooperative matrix's components.
    pub fn small_float(&self, id: u32) -> Option<SmallFloat> {
        match self.get(self.components(id).ok()?.0) {
            Ok(Ty::SmallFloat(f)) => Some(*f),
            _ => None,
        }
    }

    /// Shape of a cooperative matrix.
    pub fn coop(&self, id: u32) -> R<CoopTy> {
        match *self.get(id)? {
            Ty::CoopMatrix(m) => Ok(m),
            _ => Err(Error::invalid(format!("type %{id} is not a cooperative matrix"))),
        }
    }

    /// Whether there are cooperative matrices of scope Subgroup, and of scope Workgroup.
    pub fn coop_scopes(&self) -> (bool, bool) {
        let scopes = self.map.values().filter_map(|i| match i.ty {
            Ty::CoopMatrix(m) => Some(m.workgroup),
            _ => None,
        });
        scopes.fold((false, false), |(subgroup, all), workgroup| (subgroup || !workgroup, all || workgroup))
    }

    /// Columns, rows and component type of a matrix.
    pub fn matrix(&self, id: u32) -> R<(u32, u32, Type)> {
        match *self.get(id)? {
            Ty::Matrix { col, n } => {
                let (t, rows) = self.vector(col)?;
                Ok((n, rows, t))
            }
            _ => Err(Error::invalid(format!("type %{id} is not a matrix"))),
        }
    }

    /// Storage class and pointee of a pointer type; [`UNTYPED`] if the pointer does not say what it points to.
    pub fn pointer(&self, id: u32) -> R<(SC, u32)> {
        match *self.get(id)? {
            Ty::Pointer { class, pointee } => Ok((class, pointee)),
            _ => Err(Error::invalid(format!("type %{id} is not a pointer"))),
        }
    }

    /// Type of the part of a composite selected by a literal index, and the number of leaves before it.
    pub fn part(&self, id: u32, index: u32) -> R<(u32, usize)> {
        let bad = || Error::invalid(format!("index {index} is out of range for type %{id}"));
        match self.get(id)? {
            Ty::Vector { elem, n } if index < *n => Ok((*elem, index as usize)),
            Ty::CoopMatrix(m) if index < m.regs() => Ok((m.elem, index as usize)),
            Ty::Matrix { col: elem, n } | Ty::Array { elem, len: n } if index < *n => {
                Ok((*elem, self.leaf_count(*elem)? * index as usize))
            }
            Ty::Struct(members) => {
                let member = *members.get(index as usize).ok_or_else(bad)?;
                self.leaf_count(id)?;
                Ok((member, self.info(id)?.members.get(index as usize).ok_or_else(bad)?.0 as usize))
            }
            _ => Err(bad()),
        }
    }

    /// Declares the type of an instruction. `length` gives array lengths and other constants that types are made of.
    ///
    /// # Errors
    /// Unsupported or malformed types.
    pub fn declare(&mut self, inst: &Inst<'_>, length: impl Fn(u32) -> R<u64>) -> R<()> {
        if inst.op == Op::TypeForwardPointer {
            let class = class(inst.word(1)?)?;
            let id = inst.word(0)?;
            if class != SC::PhysicalStorageBuffer || self.map.contains_key(&id) {
                return Err(Error::invalid("forward pointers must be new and to PhysicalStorageBuffer"));
            }
            self.map.insert(id, pointer_info(class, 0));
            return Ok(());
        }
        let info = self.build(inst, length)?;
        if info.depth > limits::TYPE_DEPTH {
            return Err(Error::limit("types are nested too deeply"));
        }
        if let Ty::Int { bits, signed } = info.ty {
            self.by_scalar.insert((bits, u32::from(signed)), inst.id);
        }
        if let Some(Info { ty: Ty::Pointer { class: forward, pointee: 0 }, .. }) = self.map.get(&inst.id) {
            if !matches!(info.ty, Ty::Pointer { class, .. } if class == *forward) {
                return Err(Error::invalid("does not match its forward declaration"));
            }
        }
        self.map.insert(inst.id, info);
        Ok(())
    }

    fn build(&self, inst: &Inst<'_>, length: impl Fn(u32) -> R<u64>) -> R<Info> {
        let scalar = |ty: Ty, bytes: u32| Info {
            ty,
            leaves: Some(1),
            size: u64::from(bytes),
            align: bytes,
            members: none(),
            depth: 0,
        };
        let opaque = |ty: Ty| Info { ty, leaves: None, size: 0, align: 1, members: none(), depth: 0 };
        Ok(match inst.op {
            Op::TypeVoid => opaque(Ty::Void),
            Op::TypeBool => scalar(Ty::Bool, 4),
            Op::TypeInt => {
                let bits = inst.word(0)?;
                if Type::int(bits).is_none() {
                    return Err(Error::unsupported(format!("integers of {bits} bits")));
                }
                scalar(Ty::Int { bits, signed: inst.word(1)? != 0 }, bits / 8)
            }
            Op::TypeFloat => {
                let bits = inst.word(0)?;
                let ty = match inst.ops.get(1) {
                    None => Type::float(bits).map(|_| Ty::Float { bits }),
                    Some(&e) => SmallFloat::of_encoding(e).filter(|f| f.bits() == bits).map(Ty::SmallFloat),
                };
                let ty = ty.ok_or_else(|| Error::unsupported(format!("this encoding of {bits}-bit floats")))?;
                scalar(ty, bits / 8)
            }
            // One component and more than four are LongVectorEXT's.
            Op::TypeVector | Op::TypeVectorIdEXT => {
                let (elem, n) = (inst.word(0)?, inst.word(1)?);
                let n = if inst.op == Op::TypeVector { u64::from(n) } else { length(n)? };
                if self.scalar_opt(elem).is_none() || n == 0 {
                    return Err(Error::invalid("vectors have at least one component, of a scalar type"));
                }
                let n = u32::try_from(n).ok().filter(|&n| n <= limits::VECTOR_COMPONENTS);
                let n = n.ok_or_else(|| Error::limit("the vector has too many components"))?;
                self.sequence(Ty::Vector { elem, n }, elem, u64::from(n))?
            }
            Op::TypeMatrix => {
                let (col, n) = (inst.word(0)?, inst.word(1)?);
                let float = match self.get(col)? {
                    Ty::Vector { elem, n: 2..=4 } => self.scalar(*elem)?.is_float(),
                    _ => false,
                };
                if !float || !(2..=4).contains(&n) {
                    return Err(Error::invalid("matrices have 2 to 4 columns of 2 to 4 floating-point components"));
                }
                self.sequence(Ty::Matrix { col, n }, col, u64::from(n))?
            }
            Op::TypeArray => {
                let elem = inst.word(0)?;
                let len = length(inst.word(1)?)?;
                let len = u32::try_from(len)
                    .ok()
                    .filter(|&n| n > 0 && n <= i32::MAX as u32)
                    .ok_or_else(|| Error::invalid("array length is zero or too large"))?;
                self.member_type(elem)?;
                self.sequence(Ty::Array { elem, len }, elem, u64::from(len))?
            }
            Op::TypeRuntimeArray => {
                let elem = inst.word(0)?;
                self.member_type(elem)?;
                let e = self.info(elem)?;
                Info {
                    ty: Ty::RuntimeArray { elem },
                    leaves: None,
                    size: 0,
                    align: e.align,
                    members: none(),
                    depth: e.depth + 1,
                }
            }
            Op::TypeStruct => self.structure(inst.ops)?,
            Op::TypePointer => {
                let (class, pointee) = (class(inst.word(0)?)?, inst.word(1)?);
                self.info(pointee)?;
                pointer_info(class, pointee)
            }
            Op::TypeUntypedPointerKHR => pointer_info(class(inst.word(0)?)?, UNTYPED),
            Op::TypeBufferEXT => opaque(Ty::Buffer),
            Op::TypeFunction => {
                for t in inst.ops {
                    self.info(*t)?;
                }
                opaque(Ty::Function { ret: inst.word(0)?, params: inst.from(1).into() })
            }
            Op::TypeImage => opaque(Ty::Image(Rc::new(self.image(inst)?))),
            Op::TypeSampler => opaque(Ty::Sampler),
            Op::TypeSampledImage => match self.get(inst.word(0)?)? {
                Ty::Image(image) if !image.storage => opaque(Ty::SampledImage(inst.word(0)?)),
                _ => return Err(Error::invalid("the operand is not a sampled image type")),
            },
            Op::TypeCooperativeMatrixKHR | Op::TypeCooperativeMatrixNV => {
                let elem = inst.word(0)?;
                let element = self.scalar(elem)?;
                let operands = inst.from(1).iter().map(|&id| length(id)).collect::<R<Vec<u64>>>()?;
                let m = CoopTy::new(elem, &operands, &self.lanes)?;
                let leaves = u64::from(m.regs());
                let size = u64::from(element.bytes()) * leaves;
                Info {
                    ty: Ty::CoopMatrix(m),
                    leaves: Some(leaves),
                    size,
                    align: element.bytes().max(1),
                    members: none(),
                    depth: 0,
                }
            }
            Op::TypeTensorLayoutNV => {
                let (dims, clamp) = (tensor_dims(length(inst.word(0)?)?)?, length(inst.word(1)?)?);
                let clamp = u32::try_from(clamp).ok().and_then(TensorClampMode::from_u32);
                let clamp = clamp.ok_or_else(|| Error::invalid("unknown clamp mode"))?;
                words(Ty::TensorLayout { dims, clamp }, super::tensor::layout_words(dims))
            }
            Op::TypeTensorViewNV => {
                let (dims, has_dims) = (tensor_dims(length(inst.word(0)?)?)?, length(inst.word(1)?)? != 0);
                let order = inst.from(2).iter().map(|&id| Ok(length(id)? as u32)).collect::<R<Vec<u32>>>()?;
                if order.len() != dims as usize || (0..dims).any(|d| !order.contains(&d)) {
                    return Err(Error::invalid("the dimensions of the view are not a permutation"));
                }
                words(Ty::TensorView { order: order.into(), has_dims }, super::tensor::view_words(dims))
            }
            _ => return Err(Error::unsupported("this type is not supported in compute shaders")),
        })
    }

    /// Checks that a type may be an array element or structure member.
    fn member_type(&self, id: u32) -> R<()> {
        match self.get(id)? {
            Ty::Void | Ty::Function { .. } => Err(Error::invalid(format!("type %{id} cannot be part of another"))),
            _ => Ok(()),
        }
    }

    fn sequence(&self, ty: Ty, elem: u32, n: u64) -> R<Info> {
        let e = self.info(elem)?;
        let size = natural_stride(e)
            .checked_mul(n)
            .filter(|&s| s <= limits::OBJECT_BYTES)
            .ok_or_else(|| Error::limit("the type is too large"))?;
        let leaves = e.leaves.map(|l| l.saturating_mul(n));
        Ok(Info { ty, leaves, size, align: e.align, members: none(), depth: e.depth + 1 })
    }

    fn structure(&self, members: &[u32]) -> R<Info> {
        let mut out =
            Info { ty: Ty::Struct(members.into()), leaves: Some(0), size: 0, align: 1, members: none(), depth: 0 };
        let mut places = Vec::with_capacity(members.len());
        for (i, &m) in members.iter().enumerate() {
            self.member_type(m)?;
            let e = self.info(m)?;
            if matches!(e.ty, Ty::RuntimeArray { .. }) && i + 1 != members.len() {
                return Err(Error::invalid("a runtime array must be the last member"));
            }
            let offset = out.size.next_multiple_of(u64::from(e.align));
            places.push((out.leaves.unwrap_or(0), offset));
            out.size = offset + e.size;
            out.align = out.align.max(e.align);
            out.leaves = out.leaves.zip(e.leaves).map(|(a, b)| a.saturating_add(b));
            out.depth = out.depth.max(e.depth + 1);
            if out.size > limits::OBJECT_BYTES {
                return Err(Error::limit("the type is too large"));
            }
        }
        out.size = out.size.next_multiple_of(u64::from(out.align));
        out.members = places.into();
        Ok(out)
    }

    fn image(&self, inst: &Inst<'_>) -> R<ImageTy> {
        let sampled_type = inst.word(0)?;
        let dim = match Dim::from_u32(inst.word(1)?) {
            Some(Dim::Dim1D) => ImageDim::D1,
            Some(Dim::Dim2D) => ImageDim::D2,
            Some(Dim::Dim3D) => ImageDim::D3,
            Some(Dim::DimCube) => ImageDim::Cube,
            Some(Dim::DimBuffer) => ImageDim::Buffer,
            other => return Err(Error::unsupported(format!("image dimensionality {other:?}"))),
        };
        if !matches!(self.scalar(sampled_type)?, Type::F32 | Type::I32 | Type::I64 | Type::F16) {
            return Err(Error::unsupported("images with this sampled type"));
        }
        let storage = match inst.word(5)? {
            1 => false,
            2 => true,
            _ => return Err(Error::invalid("images must be declared sampled (1) or storage (2)")),
        };
        let (arrayed, ms) = (inst.word(3)? != 0, inst.word(4)? != 0);
        if (arrayed && matches!(dim, ImageDim::D3 | ImageDim::Buffer)) || (ms && dim != ImageDim::D2) {
            return Err(Error::invalid("this combination of dimensionality, arrayed and multisampled"));
        }
        let format = ImageFormat::of_spirv(inst.word(6)?).filter(|_| storage);
        Ok(ImageTy { sampled_type, dim, arrayed, ms, storage, format })
    }
}

/// A type that is some words.
fn words(ty: Ty, n: u32) -> Info {
    Info { ty, leaves: Some(u64::from(n)), size: u64::from(n) * 4, align: 4, members: none(), depth: 0 }
}

fn tensor_dims(n: u64) -> R<u32> {
    match n {
        1..=5 => Ok(n as u32),
        _ => Err(Error::invalid("tensors have one to five dimensions")),
    }
}

fn none() -> Rc<[(u64, u64)]> {
    Rc::new([])
}

/// Distance of array elements in the natural layout.
pub(super) fn natural_stride(e: &Info) -> u64 {
    e.size.next_multiple_of(u64::from(e.align.max(1)))
}

fn pointer_info(class: SC, pointee: u32) -> Info {
    let leaves = pointer_leaves(class);
    let (size, align) = leaves.map_or((0, 1), |l| (l.iter().map(|t| u64::from(t.bytes())).sum(), l[0].bytes()));
    Info {
        ty: Ty::Pointer { class, pointee },
        leaves: leaves.map(|l| l.len() as u64),
        size,
        align,
        members: none(),
        depth: 0,
    }
}

/// The storage classes of compute shaders (others may be declared for entry points not asked for).
fn class(word: u32) -> R<SC> {
    SC::from_u32(word).ok_or_else(|| Error::unsupported(format!("storage class {word}")))
}
