#version 450
layout(local_size_x = 16) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
const uint P[16] = uint[](2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53);
const vec2 D[4] = vec2[](vec2(0, 1), vec2(1, 0), vec2(0, -1), vec2(-1, 0));
const struct { int a; float b[2]; } R[2] = { { 1, { 2.0, 3.0 } }, { 4, { 5.0, 6.0 } } };
void main() {
    uint i = gl_LocalInvocationIndex;
    vec2 d = D[(i * 7u) & 3u];
    o[i] = P[15u - i] * 1000u + uint(d.x * 10.0 + d.y + 50.0) + uint(R[i & 1u].a) + uint(R[(i >> 1) & 1u].b[i & 1u]) * 100u;
}
