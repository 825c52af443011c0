// Needs a glslangValidator of 2025 or later: see build.sh.
#version 450
#extension GL_EXT_shader_explicit_arithmetic_types : enable
#extension GL_EXT_bfloat16 : enable
#extension GL_EXT_float_e5m2 : enable
#extension GL_EXT_float_e4m3 : enable
layout(local_size_x = 32) in;
// Bits in and out: every bfloat16 and 8-bit number widened, and numbers narrowed.
layout(set = 0, binding = 0) buffer I { float x[]; };
layout(set = 0, binding = 1) buffer W { float wide[][3]; };
layout(set = 0, binding = 2) buffer N { uint narrow[][6]; };
layout(set = 0, binding = 3) buffer D { float dots[]; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    wide[i][0] = float(uintBitsToBFloat16EXT(uint16_t(i * 257)));
    wide[i][1] = float(uintBitsToFloate4m3EXT(uint8_t(i)));
    wide[i][2] = float(uintBitsToFloate5m2EXT(uint8_t(i)));
    float v = x[i];
    narrow[i][0] = uint(bfloat16BitsToUintEXT(bfloat16_t(v)));
    narrow[i][1] = uint(floate4m3BitsToUintEXT(floate4m3_t(v)));
    narrow[i][2] = uint(floate5m2BitsToUintEXT(floate5m2_t(v)));
    floate4m3_t s4;
    floate5m2_t s5;
    saturatedConvertEXT(s4, v);
    saturatedConvertEXT(s5, v);
    narrow[i][3] = uint(floate4m3BitsToUintEXT(s4));
    narrow[i][4] = uint(floate5m2BitsToUintEXT(s5));
    narrow[i][5] = uint(bfloat16BitsToUintEXT(bfloat16_t(double(v) * 1.0000000001lf)));
    bf16vec4 p = bf16vec4(bfloat16_t(v), bfloat16_t(2.0), bfloat16_t(-1.5), bfloat16_t(0.25));
    dots[i] = float(dot(p, bf16vec4(bfloat16_t(0.5), bfloat16_t(3.0), bfloat16_t(2.0), bfloat16_t(4.0))));
}
