#version 450
// target: vulkan1.2
// variant: layouts_std140 LAYOUT=std140
// variant: layouts_std430 LAYOUT=std430
// variant: layouts_scalar LAYOUT=scalar
#extension GL_EXT_scalar_block_layout : require
// The same declaration under three layout rules: flattens it out, and writes one member of each kind.
layout(local_size_x = 1) in;
struct Inner { float x; vec3 v; vec2 w; };
layout(LAYOUT, binding = 0) buffer In { float a; vec3 b; float c[3]; Inner inner[2]; mat3x2 m; layout(row_major) mat2x3 r; vec2 last; } s;
layout(std430, binding = 1) buffer O { float o[]; };
void main() {
    uint k = 0;
    o[k++] = s.a; // 0
    for (int i = 0; i < 3; ++i) o[k++] = s.b[i]; // 1
    for (int i = 0; i < 3; ++i) o[k++] = s.c[i]; // 4
    for (int j = 0; j < 2; ++j) {
        o[k++] = s.inner[j].x; // 7, 13
        for (int i = 0; i < 3; ++i) o[k++] = s.inner[j].v[i];
        for (int i = 0; i < 2; ++i) o[k++] = s.inner[j].w[i];
    }
    for (int c = 0; c < 3; ++c) for (int i = 0; i < 2; ++i) o[k++] = s.m[c][i]; // 19
    for (int c = 0; c < 2; ++c) for (int i = 0; i < 3; ++i) o[k++] = s.r[c][i]; // 25
    o[k++] = s.last.x; // 31
    o[k++] = s.last.y;
    s.b.y = -1.0;
    s.c[2] = -2.0;
    s.inner[1].w = vec2(-3.0, -4.0);
    s.m[2][1] = -5.0;
    s.r[1][2] = -6.0;
}
