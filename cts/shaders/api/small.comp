#version 450
// variant: small_storage8 T=uint8_t U=int8_t STORE8
// variant: small_storage16 T=uint16_t U=int16_t STORE16
// variant: small_arith8 T=uint8_t U=int8_t STORE8 ARITH
// variant: small_arith16 T=uint16_t U=int16_t STORE16 ARITH
#ifdef STORE8
#extension GL_EXT_shader_8bit_storage : require
#endif
#ifdef STORE16
#extension GL_EXT_shader_16bit_storage : require
#endif
#ifdef ARITH
#extension GL_EXT_shader_explicit_arithmetic_types : require
#endif
// Narrow integers in storage; with ARITH, arithmetic on them.
layout(local_size_x = 32) in;
layout(std430, binding = 0) readonly buffer A { T a[]; };
layout(std430, binding = 1) buffer B { U b[]; };
layout(std430, binding = 2) buffer O { uint o[]; };
void main() {
    uint i = gl_GlobalInvocationID.x;
#ifdef ARITH
    T x = a[i];
    U y = b[i];
    U z = U(x) * y + U(3);
    o[i] = uint(x / T(3)) + (uint(x >> T(1)) << 8);
    b[i] = z - (y < U(0) ? U(1) : U(0));
#else
    o[i] = uint(a[i]) * 3;
    b[i] = U(int(b[i]) - 1);
#endif
}
