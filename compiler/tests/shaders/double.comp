#version 450
layout(local_size_x = 4) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
layout(std430, binding = 1) buffer In { double d[4]; dvec3 v; dmat2 m; };
void main() {
    uint i = gl_LocalInvocationIndex, n = i * 8u;
    double x = d[i];
    uvec2 p = unpackDouble2x32(sqrt(abs(x)) + fract(x)); o[n] = p.x; o[n + 1u] = p.y;
    p = unpackDouble2x32(fma(x, v.y, m[1][0])); o[n + 2u] = p.x; o[n + 3u] = p.y;
    o[n + 4u] = floatBitsToUint(float(inverse(m)[0][1] + determinant(m))); o[n + 5u] = uint(int(floor(x)));
    o[n + 6u] = uint(x > double(packDouble2x32(uvec2(0, 0x3ff00000)))); int e; o[n + 7u] = floatBitsToUint(float(frexp(x, e))) + uint(e);
    d[i] = clamp(x * 2.0LF, -4.0LF, 4.0LF);
}
