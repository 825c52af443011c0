#version 450
#extension GL_EXT_scalar_block_layout : require
layout(local_size_x = 4) in;
struct In { vec3 a; float b; mat2 m; int k[3]; };
struct Nest { In one; In two[2]; };
layout(std430, binding = 0) buffer Out { uint o[]; };
layout(std140, binding = 1) uniform U { mat3 cm; layout(row_major) mat3 rm; layout(row_major) mat2x4 rmx[2]; float f[3]; vec2 v; } u;
layout(std430, binding = 2) buffer S { float pad; layout(row_major) mat4x3 m; layout(column_major) mat2x3 n[2]; Nest s[]; } s;
layout(scalar, binding = 3) buffer Sc { float pad; vec3 v[3]; mat3 m; In z; } sc;
void main() {
    uint i = gl_LocalInvocationIndex;
    vec3 a = u.cm[1] + u.rm[2] + u.rm[i % 3u];
    vec4 b = u.rmx[i & 1u][1];
    float c = u.f[i % 3u] + u.v.y + u.rm[1][i % 3u];
    uint n = i * 8u;
    o[n] = floatBitsToUint(a.x + 10.0 * a.y + 100.0 * a.z);
    o[n + 1u] = floatBitsToUint(b.x + 10.0 * b.y + 100.0 * b.z + 1000.0 * b.w);
    o[n + 2u] = floatBitsToUint(c);
    mat4x3 mm = s.m;
    o[n + 3u] = floatBitsToUint(mm[i].x + mm[i].y * 10.0 + mm[i][2] * 100.0 + s.n[1][1].z);
    o[n + 4u] = floatBitsToUint(s.s[1].two[1].m[1].x + float(s.s[0].two[0].k[i % 3u]) + s.s[1].one.b);
    o[n + 5u] = floatBitsToUint(sc.v[2].y + sc.m[2].x + sc.z.m[1].y + float(sc.z.k[1]));
    barrier();
    if (i == 0u) {
        s.s[0].one = s.s[1].two[0];
        s.m[2] = vec3(7.0, 8.0, 9.0);
        s.n[0] = mat2x3(sc.m);
        sc.z = s.s[0].two[1];
        sc.m = mat3(u.rm);
    }
    o[n + 6u] = floatBitsToUint(u.cm[2][i % 3u]);
    o[n + 7u] = uint(s.s.length());
}
