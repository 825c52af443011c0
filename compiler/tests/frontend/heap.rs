//! Untyped pointers, descriptor heaps, uniform blocks of no stated size.

use super::asm::assemble;
use super::harness::{dispatch, f32_bytes, module, u32_bytes, words};
use compiler::frontend::{
    heap_binding, translate, DescriptorBytes, HeapIndex, HeapOptions, HeapPlace, MappedSampler, Mapping, MappingSource,
    Options, DATA_BINDING, EMBEDDED_SET, RESOURCE_SET, SAMPLER_SET,
};
use compiler::interp::TestMachine;
use compiler::sir::{BindingKind, Kernel};

const UNTYPED: &str = r#"
OpCapability Shader
OpCapability UntypedPointersKHR
OpExtension "SPV_KHR_untyped_pointers"
OpMemoryModel Logical GLSL450
OpEntryPoint GLCompute %main "main" %in %out %lid
OpExecutionMode %main LocalSize 4 1 1
OpDecorate %lid BuiltIn LocalInvocationIndex
OpDecorate %in DescriptorSet 0
OpDecorate %in Binding 1
OpDecorate %out DescriptorSet 0
OpDecorate %out Binding 0
OpDecorate %words ArrayStride 4
OpDecorate %pairs ArrayStride 8
OpDecorate %uptr ArrayStride 4
OpDecorate %block Block
OpDecorate %view Block
OpMemberDecorate %block 0 Offset 0
OpMemberDecorate %view 0 Offset 0
OpMemberDecorate %pair 0 Offset 0
OpMemberDecorate %pair 1 Offset 4
%void = OpTypeVoid
%fn = OpTypeFunction %void
%uint = OpTypeInt 32 0
%float = OpTypeFloat 32
%uvec2 = OpTypeVector %uint 2
%words = OpTypeRuntimeArray %uint
%block = OpTypeStruct %words
%pair = OpTypeStruct %uint %float
%pairs = OpTypeRuntimeArray %pair
%view = OpTypeStruct %pairs
%uptr = OpTypeUntypedPointerKHR StorageBuffer
%input = OpTypePointer Input %uint
%in = OpUntypedVariableKHR %uptr StorageBuffer %block
%out = OpUntypedVariableKHR %uptr StorageBuffer %block
%lid = OpVariable %input Input
%c0 = OpConstant %uint 0
%c1 = OpConstant %uint 1
%c5 = OpConstant %uint 5
%c8 = OpConstant %uint 8
%main = OpFunction %void None %fn
%entry = OpLabel
%i = OpLoad %uint %lid
%p = OpUntypedAccessChainKHR %uptr %view %in %c0 %i
%v = OpLoad %uvec2 %p                                     ; a pair seen as a vector
%x = OpCompositeExtract %uint %v 0
%q = OpUntypedAccessChainKHR %uptr %view %in %c0 %i %c1
%f = OpLoad %float %q
%n = OpConvertFToU %uint %f
%r = OpUntypedPtrAccessChainKHR %uptr %uint %p %c1        ; the word behind the first
%y = OpLoad %uint %r
%len = OpUntypedArrayLengthKHR %uint %block %in 0
%s1 = OpIAdd %uint %x %n
%s2 = OpIAdd %uint %s1 %len
%o = OpUntypedInBoundsAccessChainKHR %uptr %block %out %c0 %i
OpStore %o %s2
%old = OpAtomicIAdd %uint %o %c1 %c0 %c5
%j = OpIAdd %uint %i %i
%k = OpIAdd %uint %j %c8
%to = OpUntypedAccessChainKHR %uptr %block %out %c0 %k
OpCopyMemorySized %to %p %c8 Aligned 4
%at = OpIAdd %uint %i %c8
%at2 = OpIAdd %uint %at %c8
%tail = OpUntypedAccessChainKHR %uptr %block %out %c0 %at2
OpStore %tail %y
OpReturn
OpFunctionEnd
"#;

#[test]
fn untyped_pointers() {
    let k = translate(&assemble(UNTYPED), &Options::default()).unwrap();
    compiler::verify::verify(&k).unwrap();
    let input: Vec<u32> = (0..4u32).flat_map(|i| [100 * i, (i as f32 * 2.0).to_bits()]).collect();
    let mut m = TestMachine::new();
    m.bind(0, 0, 0, vec![0; 80]);
    m.bind(0, 1, 0, u32_bytes(&input));
    dispatch(&k, &mut m, [1, 1, 1]);
    let mut want: Vec<u32> = (0..4).map(|i| 100 * i + 2 * i + 8 + 5).collect();
    want.extend([0; 4]);
    want.extend(&input);
    want.extend((0..4u32).map(|i| (i as f32 * 2.0).to_bits()));
    assert_eq!(words(&m, 0), want);
}

/// A kernel that copies the buffer whose index stands in push data to the buffer of the next index, doubled, both found
/// in the resource heap; with variable pointers between them.
const HEAP: &str = r#"
OpCapability Shader
OpCapability UntypedPointersKHR
OpCapability DescriptorHeapEXT
OpCapability VariablePointers
OpExtension "SPV_KHR_untyped_pointers"
OpExtension "SPV_EXT_descriptor_heap"
OpMemoryModel Logical GLSL450
OpEntryPoint GLCompute %main "main" %heap %lid %push
OpExecutionMode %main LocalSize 4 1 1
OpDecorate %lid BuiltIn LocalInvocationIndex
OpDecorate %heap BuiltIn ResourceHeapEXT
OpDecorateId %buffers ArrayStrideIdEXT %size
OpDecorate %words ArrayStride 4
OpDecorate %block Block
OpMemberDecorate %block 0 Offset 0
OpDecorate %pblock Block
OpMemberDecorate %pblock 0 Offset 0
%void = OpTypeVoid
%fn = OpTypeFunction %void
%bool = OpTypeBool
%uint = OpTypeInt 32 0
%words = OpTypeRuntimeArray %uint
%block = OpTypeStruct %words
%pblock = OpTypeStruct %uint
%buffer = OpTypeBufferEXT StorageBuffer
%size = OpConstantSizeOfEXT %uint %buffer
%buffers = OpTypeRuntimeArray %buffer
%uc = OpTypeUntypedPointerKHR UniformConstant
%sb = OpTypeUntypedPointerKHR StorageBuffer
%input = OpTypePointer Input %uint
%pptr = OpTypePointer PushConstant %pblock
%puint = OpTypePointer PushConstant %uint
%heap = OpUntypedVariableKHR %uc UniformConstant
%lid = OpVariable %input Input
%push = OpVariable %pptr PushConstant
%c0 = OpConstant %uint 0
%c1 = OpConstant %uint 1
%c2 = OpConstant %uint 2
%main = OpFunction %void None %fn
%entry = OpLabel
%i = OpLoad %uint %lid
%pp = OpAccessChain %puint %push %c0
%n = OpLoad %uint %pp
%m = OpIAdd %uint %n %c1
%b0 = OpUntypedAccessChainKHR %uc %buffers %heap %n
%from = OpBufferPointerEXT %sb %b0
%b1 = OpUntypedAccessChainKHR %uc %buffers %heap %m
%to = OpBufferPointerEXT %sb %b1
%len = OpUntypedArrayLengthKHR %uint %block %from 0
%p = OpUntypedAccessChainKHR %sb %block %from %c0 %i
%v = OpLoad %uint %p
%w = OpIMul %uint %v %c2
%odd = OpBitwiseAnd %uint %i %c1
%is = OpIEqual %bool %odd %c0
%either = OpSelect %sb %is %to %from       ; even elements go to one buffer, odd ones back
%e = OpUntypedAccessChainKHR %sb %block %either %c0 %i
%sum = OpIAdd %uint %w %len
OpStore %e %sum
OpReturn
OpFunctionEnd
"#;

const BYTES: DescriptorBytes = DescriptorBytes { buffer: 16, image: 64, sampler: 32 };

fn with_heaps(words: &[u32], mappings: &[Mapping]) -> Kernel {
    let heap = Some(HeapOptions { mappings, bytes: BYTES });
    let k = translate(words, &Options { heap, ..Options::default() }).unwrap();
    compiler::verify::verify(&k).unwrap();
    k
}

#[test]
fn buffers_of_a_heap() {
    assert!(translate(&assemble(HEAP), &Options::default()).is_err(), "without heaps");
    let k = with_heaps(&assemble(HEAP), &[]);
    let mut m = TestMachine::new();
    let storage = heap_binding(BindingKind::StorageBuffer);
    m.bind(RESOURCE_SET, storage, 3 * 16, u32_bytes(&[1, 2, 3, 4, 0]));
    m.bind(RESOURCE_SET, storage, 4 * 16, vec![0; 16]);
    m.set_push_constants(u32_bytes(&[3]));
    dispatch(&k, &mut m, [1, 1, 1]);
    let get = |element: u32| m.contents(RESOURCE_SET, storage, element).unwrap().to_vec();
    assert_eq!(get(48), u32_bytes(&[1, 9, 3, 13, 0]));
    assert_eq!(get(64), u32_bytes(&[7, 0, 11, 0]));
}

/// Modules for clients whose assembler is too old: `HEAP_SPV=cts/shaders/api/heap.spv cargo test -p compiler … -- --ignored`.
#[test]
#[ignore = "writes the module of `buffers_of_a_heap` to the file named by HEAP_SPV"]
fn write_module() {
    let bytes: Vec<u8> = assemble(HEAP).iter().flat_map(|w| w.to_le_bytes()).collect();
    std::fs::write(std::env::var("HEAP_SPV").unwrap(), bytes).unwrap();
}

fn heap(place: HeapPlace) -> MappingSource {
    MappingSource::Heap { place, sampler: MappedSampler::Heap(place) }
}

fn all(first_binding: u32, binding_count: u32, source: MappingSource) -> Mapping {
    Mapping { set: 0, first_binding, binding_count, resource_mask: 0x7fff_ffff, source }
}

/// `vecadd` has three storage buffers in bindings 0 to 2, and a count and a factor in push constants.
fn vecadd(mappings: &[Mapping], push: &[u32], mut bind: impl FnMut(&mut TestMachine, &[Vec<u8>; 3]) -> u32) {
    let k = with_heaps(&module("vecadd"), mappings);
    let a: Vec<f32> = (0..16).map(|i| i as f32).collect();
    let mut m = TestMachine::new();
    let out = bind(&mut m, &[vec![0; 64], f32_bytes(&a), f32_bytes(&a)]);
    let mut bytes = u32_bytes(&[16]);
    bytes.extend(f32_bytes(&[0.5]));
    bytes.extend(u32_bytes(push));
    m.set_push_constants(bytes);
    dispatch(&k, &mut m, [1, 1, 1]);
    let storage = heap_binding(BindingKind::StorageBuffer);
    let want: Vec<f32> = a.iter().map(|v| v * 1.5).collect();
    assert_eq!(m.contents(RESOURCE_SET, storage, out).unwrap(), f32_bytes(&want));
}

#[test]
fn bindings_mapped_to_heaps() {
    let storage = heap_binding(BindingKind::StorageBuffer);
    // At constant offsets.
    let constant = HeapPlace { offset: 32, index_stride: 0, array_stride: 16, index: HeapIndex::None };
    vecadd(&[all(0, 3, heap(constant))], &[], |m, b| {
        (0..3).for_each(|i| m.bind(RESOURCE_SET, storage, 32 + i * 16, b[i as usize].clone()));
        32
    });
    // With an index in push data; the second mapping counts from its own first binding.
    let pushed = HeapPlace { offset: 64, index_stride: 256, array_stride: 16, index: HeapIndex::Push(8) };
    let other = HeapPlace { offset: 1024, ..constant };
    vecadd(&[all(0, 2, heap(pushed)), all(2, 5, heap(other))], &[2], |m, b| {
        m.bind(RESOURCE_SET, storage, 64 + 512, b[0].clone());
        m.bind(RESOURCE_SET, storage, 64 + 512 + 16, b[1].clone());
        m.bind(RESOURCE_SET, storage, 1024, b[2].clone());
        64 + 512
    });
}

#[test]
fn bindings_mapped_to_memory() {
    let storage = heap_binding(BindingKind::StorageBuffer);
    // The first at an address in push data, the second at an address behind one, the third by an index behind one.
    let mut m = TestMachine::new();
    let a: Vec<f32> = (0..16).map(|i| i as f32).collect();
    m.bind(RESOURCE_SET, storage, 0, vec![0; 64]);
    m.bind(RESOURCE_SET, storage, 1, f32_bytes(&a));
    let second = m.address(RESOURCE_SET, storage, 1).unwrap();
    let mut table = vec![0; 8];
    table.extend(second.to_le_bytes());
    table.extend(u32_bytes(&[0, 5]));
    m.bind(RESOURCE_SET, storage, 2, table);
    m.bind(RESOURCE_SET, storage, 128 + 5 * 16, f32_bytes(&a));
    let place = HeapPlace {
        offset: 128,
        index_stride: 16,
        array_stride: 0,
        index: HeapIndex::IndirectArray { push: 16, offset: 20 },
    };
    let mappings = [
        all(0, 1, MappingSource::PushAddress(8)),
        all(1, 1, MappingSource::IndirectAddress { push: 16, offset: 8 }),
        all(2, 1, heap(place)),
    ];
    let k = with_heaps(&module("vecadd"), &mappings);
    assert_eq!(k.push_size, 24);
    let mut push = u32_bytes(&[16]);
    push.extend(f32_bytes(&[0.5]));
    push.extend(m.address(RESOURCE_SET, storage, 0).unwrap().to_le_bytes());
    push.extend(m.address(RESOURCE_SET, storage, 2).unwrap().to_le_bytes());
    m.set_push_constants(push);
    dispatch(&k, &mut m, [1, 1, 1]);
    let want: Vec<f32> = a.iter().map(|v| v * 1.5).collect();
    assert_eq!(m.contents(RESOURCE_SET, storage, 0).unwrap(), f32_bytes(&want));
}

#[test]
fn unmapped_bindings_are_refused() {
    let heap = Some(HeapOptions { mappings: &[], bytes: BYTES });
    let e = translate(&module("vecadd"), &Options { heap, ..Options::default() }).unwrap_err();
    assert!(e.to_string().contains("no descriptor mapping"), "{e}");
    // A mapping for other resource types is none.
    let place = HeapPlace { offset: 0, index_stride: 0, array_stride: 16, index: HeapIndex::None };
    let wrong = Mapping { resource_mask: 32, ..all(0, 3, self::heap(place)) };
    let heap = Some(HeapOptions { mappings: &[wrong], bytes: BYTES });
    assert!(translate(&module("vecadd"), &Options { heap, ..Options::default() }).is_err());
    const { assert!(RESOURCE_SET != SAMPLER_SET && SAMPLER_SET != EMBEDDED_SET && DATA_BINDING > 7) };
}

const UNSIZED: &str = r#"
OpCapability Shader
OpMemoryModel Logical GLSL450
OpEntryPoint GLCompute %main "main" %in %out %lid
OpExecutionMode %main LocalSize 4 1 1
OpDecorate %lid BuiltIn LocalInvocationIndex
OpDecorate %in DescriptorSet 0
OpDecorate %in Binding 1
OpDecorate %out DescriptorSet 0
OpDecorate %out Binding 0
OpDecorate %vectors ArrayStride 16
OpDecorate %words ArrayStride 4
OpDecorate %block Block
OpDecorate %outs Block
OpMemberDecorate %block 0 Offset 0
OpMemberDecorate %block 1 Offset 16
OpMemberDecorate %outs 0 Offset 0
%void = OpTypeVoid
%fn = OpTypeFunction %void
%uint = OpTypeInt 32 0
%uvec4 = OpTypeVector %uint 4
%vectors = OpTypeRuntimeArray %uvec4
%words = OpTypeRuntimeArray %uint
%block = OpTypeStruct %uint %vectors
%outs = OpTypeStruct %words
%ublock = OpTypePointer Uniform %block
%uword = OpTypePointer Uniform %uint
%sblock = OpTypePointer StorageBuffer %outs
%sword = OpTypePointer StorageBuffer %uint
%input = OpTypePointer Input %uint
%in = OpVariable %ublock Uniform
%out = OpVariable %sblock StorageBuffer
%lid = OpVariable %input Input
%c0 = OpConstant %uint 0
%c1 = OpConstant %uint 1
%c2 = OpConstant %uint 2
%main = OpFunction %void None %fn
%entry = OpLabel
%i = OpLoad %uint %lid
%p = OpAccessChain %uword %in %c1 %i %c2
%v = OpLoad %uint %p
%q = OpAccessChain %uword %in %c0
%w = OpLoad %uint %q
%s = OpIAdd %uint %v %w
%o = OpAccessChain %sword %out %c0 %i
OpStore %o %s
OpReturn
OpFunctionEnd
"#;

#[test]
fn uniform_blocks_that_end_in_an_array_of_no_stated_size() {
    let k = translate(&assemble(UNSIZED), &Options::default()).unwrap();
    compiler::verify::verify(&k).unwrap();
    let mut m = TestMachine::new();
    m.bind(0, 0, 0, vec![0; 16]);
    // The buffer ends behind the third element: the fourth reads as 0.
    let input: Vec<u32> = [1000, 0, 0, 0].into_iter().chain((0..12).map(|i| 10 + i)).collect();
    m.bind(0, 1, 0, u32_bytes(&input));
    dispatch(&k, &mut m, [1, 1, 1]);
    assert_eq!(words(&m, 0), [1012, 1016, 1020, 1000]);
}

const SHARED: &str = r#"
OpCapability Shader
OpCapability UntypedPointersKHR
OpCapability WorkgroupMemoryExplicitLayoutKHR
OpExtension "SPV_KHR_untyped_pointers"
OpMemoryModel Logical GLSL450
OpEntryPoint GLCompute %main "main" %a %b %out
OpExecutionMode %main LocalSize 1 1 1
OpDecorate %out DescriptorSet 0
OpDecorate %out Binding 0
OpDecorate %block Block
OpMemberDecorate %block 0 Offset 0
OpMemberDecorate %block 1 Offset 4
ALIASED
%void = OpTypeVoid
%fn = OpTypeFunction %void
%uint = OpTypeInt 32 0
%block = OpTypeStruct %uint %uint
%shared = OpTypeUntypedPointerKHR Workgroup
%sb = OpTypeUntypedPointerKHR StorageBuffer
%a = OpUntypedVariableKHR %shared Workgroup %block
%b = OpUntypedVariableKHR %shared Workgroup %block
%out = OpUntypedVariableKHR %sb StorageBuffer %block
%c0 = OpConstant %uint 0
%c1 = OpConstant %uint 1
%c7 = OpConstant %uint 7
%c9 = OpConstant %uint 9
%main = OpFunction %void None %fn
%entry = OpLabel
%pa = OpUntypedAccessChainKHR %shared %block %a %c1
OpStore %pa %c7
%pb = OpUntypedAccessChainKHR %shared %block %b %c1
OpStore %pb %c9
%va = OpLoad %uint %pa
%vb = OpLoad %uint %pb
OpStore %out %va
%o = OpUntypedAccessChainKHR %sb %block %out %c1
OpStore %o %vb
OpReturn
OpFunctionEnd
"#;

#[test]
fn workgroup_blocks_share_memory_only_when_aliased() {
    for (decorations, want) in [("", [7, 9]), ("OpDecorate %a Aliased\nOpDecorate %b Aliased", [9, 9])] {
        let k = translate(&assemble(&SHARED.replace("ALIASED", decorations)), &Options::default()).unwrap();
        compiler::verify::verify(&k).unwrap();
        let mut m = TestMachine::new();
        m.bind(0, 0, 0, vec![0; 8]);
        dispatch(&k, &mut m, [1, 1, 1]);
        assert_eq!(words(&m, 0), want);
    }
}

#[test]
fn workgroup_blocks_are_initialised_with_what_they_share_memory_with() {
    let with = |decorations| {
        let text = SHARED.replace("ALIASED", decorations).replace(
            "%main = OpFunction ",
            "%null = OpConstantNull %block\n%z = OpUntypedVariableKHR %shared Workgroup %block %null\n%main = OpFunction ",
        );
        translate(&assemble(&text), &Options::default()).unwrap()
    };
    assert!(with("OpDecorate %a Aliased\nOpDecorate %b Aliased\nOpDecorate %z Aliased").shared_zeroed);
    assert!(!with("OpDecorate %a Aliased\nOpDecorate %b Aliased").shared_zeroed, "nobody uses what is initialised");
}
