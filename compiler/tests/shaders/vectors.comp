#version 450
layout(local_size_x = 4) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
void main() {
    uint i = gl_LocalInvocationIndex;
    vec4 v = vec4(1.0, 2.0, 3.0, 4.0) * float(i + 1u);
    v.wx = v.yz;
    v[i] += 0.5;
    ivec3 k = ivec3(v.xyz) % 3 - 1;
    bvec4 less = lessThan(v, vec4(3.0));
    mat3 m = mat3(1, 2, 3, 4, 5, 6, 7, 8, 10);
    m[i % 3u][1] += 2.0;
    vec3 p = m * v.xyz, q = v.xyz * m;
    mat2x3 a = mat2x3(1, 2, 3, 4, 5, 6);
    mat3x2 at = transpose(a);
    mat2 sq = at * a;
    mat4x2 op = outerProduct(v.xy, v);
    uint n = i * 16u;
    o[n] = floatBitsToUint(v.x); o[n + 1u] = floatBitsToUint(v.w); o[n + 2u] = uint(k.x + 10 * k.y + 100 * k.z);
    o[n + 3u] = (any(less) ? 1u : 0u) | (all(less) ? 2u : 0u) | (less[i] ? 4u : 0u) | (not(less).y ? 8u : 0u);
    o[n + 4u] = floatBitsToUint(p.x + p.y * p.z); o[n + 5u] = floatBitsToUint(q.x + q.y * q.z);
    o[n + 6u] = floatBitsToUint(sq[0][0] + sq[1][0] + sq[0][1] * sq[1][1]);
    o[n + 7u] = floatBitsToUint(op[3][1]);
    o[n + 8u] = floatBitsToUint(dot(v, v.wzyx)); o[n + 9u] = uint(v.xy == v.yx); o[n + 10u] = uint(m != transpose(m));
    o[n + 11u] = floatBitsToUint((m * 2.0)[2][2]); o[n + 12u] = floatBitsToUint(m[int(v.x) % 3].y);
    o[n + 13u] = floatBitsToUint((m * m)[1][2]); o[n + 14u] = floatBitsToUint((-v).z); o[n + 15u] = uint(mix(k, ivec3(7), lessThan(k, ivec3(0))).x);
}
