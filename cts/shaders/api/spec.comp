#version 450
// variant: spec
// variant: spec_wide WIDE
// variant: spec_small SMALL
#ifdef WIDE
#extension GL_EXT_shader_explicit_arithmetic_types : require
#endif
#ifdef SMALL
#extension GL_EXT_shader_explicit_arithmetic_types : require
#endif
// Specialisation constants of every type and expressions of them.
layout(local_size_x_id = 20, local_size_y_id = 21) in;
layout(constant_id = 0) const bool b = true;
layout(constant_id = 1) const int i = -5;
layout(constant_id = 2) const uint u = 7;
layout(constant_id = 3) const float f = 1.5;
layout(constant_id = 4) const uint size = 3;
#ifdef WIDE
layout(constant_id = 5) const double d = 2.5LF;
layout(constant_id = 6) const int64_t l = -9L;
#endif
#ifdef SMALL
layout(constant_id = 7) const int16_t s = 3S;
#endif
const int sum = i + int(u) * 2;
const bool both = b && u > 5;
const uint chosen = both ? u : size;
shared uint temporary[size];
layout(std430, binding = 0) buffer O { uint o[]; };
void main() {
    if (gl_LocalInvocationIndex != 0) return;
    o[0] = b ? 1 : 0;
    o[1] = uint(i);
    o[2] = u;
    o[3] = floatBitsToUint(f);
    o[4] = uint(sum);
    o[5] = both ? 1 : 0;
    o[6] = chosen;
    o[7] = gl_WorkGroupSize.x * 1000 + gl_WorkGroupSize.y * 10 + gl_WorkGroupSize.z;
    for (uint k = 0; k < size; ++k) temporary[k] = k + 1;
    uint s_ = 0;
    for (uint k = 0; k < size; ++k) s_ += temporary[k];
    o[8] = s_;
    o[9] = size;
#ifdef WIDE
    uvec2 w = unpackDouble2x32(d);
    o[10] = w.x; o[11] = w.y;
    o[12] = uint(l); o[13] = uint(l >> 32);
#endif
#ifdef SMALL
    o[14] = uint(int(s));
#endif
}
