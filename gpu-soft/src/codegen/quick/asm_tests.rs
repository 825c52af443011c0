//! Encodings, against what other assemblers make of the same instructions.

use super::asm::*;

fn bytes(f: impl FnOnce(&mut Asm)) -> Vec<u8> {
    let mut a = Asm::default();
    f(&mut a);
    a.code
}

#[test]
fn general_instructions() {
    // mov r9, [rsp+64]; mov [r13+0], r8; lea rax, [rbp+rcx*4+1000]
    assert_eq!(bytes(|a| a.load(8, 9, Mem::Base(RSP, 64))), [0x4c, 0x8b, 0x4c, 0x24, 0x40]);
    assert_eq!(bytes(|a| a.store(8, 8, Mem::Base(13, 0))), [0x4d, 0x89, 0x45, 0x00]);
    assert_eq!(bytes(|a| a.lea(RAX, Mem::Index(RBP, RCX, 2, 1000))), [0x48, 0x8d, 0x84, 0x8d, 0xe8, 3, 0, 0]);
    // movzx r10d, sil; mov dil, [rax]; mov [rsp], sil
    assert_eq!(bytes(|a| a.general(None, &[0x0f, 0xb6], 4, 10, Rm::R(RSI), 0))[..1], [0x44]);
    assert_eq!(bytes(|a| a.store(1, RSI, Mem::Base(RSP, 0))), [0x40, 0x88, 0x34, 0x24]);
    // add ecx, -2; cmp rdx, 1000; mov rax, -1; mov r11d, 7; xor ebx, ebx
    assert_eq!(bytes(|a| a.arith_imm(Arith::Add, 4, RCX, -2)), [0x83, 0xc1, 0xfe]);
    assert_eq!(bytes(|a| a.arith_imm(Arith::Cmp, 8, RDX, 1000)), [0x48, 0x81, 0xfa, 0xe8, 3, 0, 0]);
    assert_eq!(bytes(|a| a.mov_imm(RAX, u64::MAX)), [0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(bytes(|a| a.mov_imm(11, 7)), [0x41, 0xbb, 7, 0, 0, 0]);
    assert_eq!(bytes(|a| a.mov_imm(RBX, 0)), [0x31, 0xdb]);
    // shlx r8d, edx, ecx; tzcnt rax, r9
    assert_eq!(bytes(|a| a.vex(Enc(2, 1, 0, 0xf7), false, 8, RCX, Rm::R(RDX), None)), [0xc4, 0x62, 0x71, 0xf7, 0xc2]);
    assert_eq!(bytes(|a| a.general(Some(0xf3), &[0x0f, 0xbc], 8, RAX, Rm::R(9), 0)), [0xf3, 0x49, 0x0f, 0xbc, 0xc1]);
}

#[test]
fn mask_instructions() {
    // kmovq k1, rax; kmovq r10, k2; kandq k1, k2, k3; kshiftrq k6, k1, 16
    assert_eq!(bytes(|a| a.k_from(1, RAX)), [0xc4, 0xe1, 0xfb, 0x92, 0xc8]);
    assert_eq!(bytes(|a| a.k_to(10, 2)), [0xc4, 0x61, 0xfb, 0x93, 0xd2]);
    assert_eq!(bytes(|a| a.k_op(0x41, 1, 2, 3)), [0xc4, 0xe1, 0xec, 0x41, 0xcb]);
    assert_eq!(bytes(|a| a.k_shift(false, 6, 1, 16)), [0xc4, 0xe3, 0xf9, 0x31, 0xf1, 0x10]);
}

#[test]
fn vector_instructions() {
    let add = Enc(1, 0, 0, 0x58);
    // vaddps zmm1, zmm2, zmm3; vaddps zmm17, zmm18, zmm31
    assert_eq!(bytes(|a| a.evex(add, Vex::new(2, 1, 2, Rm::R(3)))), [0x62, 0xf1, 0x6c, 0x48, 0x58, 0xcb]);
    assert_eq!(bytes(|a| a.evex(add, Vex::new(2, 17, 18, Rm::R(31)))), [0x62, 0x81, 0x6c, 0x40, 0x58, 0xcf]);
    // vmovdqu64 zmm0, [rsp+64]; vmovdqu64 [r12+128], zmm30; vmovdqu32 zmm5{k1}{z}, [rax]
    let load = Vex { unit: 64, ..Vex::new(2, 0, 0, Rm::M(Mem::Base(RSP, 64))) };
    assert_eq!(bytes(|a| a.evex(Enc(1, 2, 1, 0x6f), load)), [0x62, 0xf1, 0xfe, 0x48, 0x6f, 0x44, 0x24, 0x01]);
    let store = Vex { unit: 64, ..Vex::new(2, 30, 0, Rm::M(Mem::Base(12, 128))) };
    assert_eq!(bytes(|a| a.evex(Enc(1, 2, 1, 0x7f), store)), [0x62, 0x41, 0xfe, 0x48, 0x7f, 0x74, 0x24, 0x02]);
    let masked = Vex { unit: 64, ..Vex::new(2, 5, 0, Rm::M(Mem::Base(RAX, 0))).masked(1, true) };
    assert_eq!(bytes(|a| a.evex(Enc(1, 2, 0, 0x6f), masked)), [0x62, 0xf1, 0x7e, 0xc9, 0x6f, 0x28]);
    // vpgatherdd zmm1{k2}, [rax+zmm19*4]
    let gather = Vex::new(2, 1, 0, Rm::M(Mem::Lanes(Some(RAX), 19, 2))).masked(2, false);
    assert_eq!(bytes(|a| a.evex(Enc(2, 1, 0, 0x90), gather)), [0x62, 0xf2, 0x7d, 0x42, 0x90, 0x8c, 0x98, 0, 0, 0, 0]);
}

#[test]
fn jumps_and_constants_find_their_places() {
    let mut a = Asm::default();
    let (top, end) = (a.label(), a.label());
    a.bind(top);
    a.jcc(Cc::Equal, end);
    let one = a.constant(&1f32.to_le_bytes());
    assert_eq!(a.constant(&1f32.to_le_bytes()), one);
    a.evex(Enc(2, 1, 0, 0x18), Vex::new(2, 0, 0, Rm::M(Mem::Pool(one))));
    a.jmp(top);
    a.bind(end);
    a.byte(0xc3);
    let code = a.finish();
    let word = |at: usize| i32::from_le_bytes(code[at..at + 4].try_into().unwrap());
    // The jump forward to the return, the one back to the start, and the constant.
    assert_eq!((word(2), word(17)), (15, -21));
    assert_eq!(code[21], 0xc3);
    assert_eq!(code[16 + word(12) as usize..][..4], 1f32.to_le_bytes());
}
