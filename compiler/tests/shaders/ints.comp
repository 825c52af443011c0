#version 450
layout(local_size_x = 8) in;
layout(std430, binding = 0) buffer Out { uint o[]; };
layout(std430, binding = 1) readonly buffer In { uint a[]; };
void main() {
    uint i = gl_LocalInvocationIndex;
    uint x = a[i], y = a[(i + 1u) & 7u], n = i * 24u;
    int sx = int(x), sy = int(y);
    uint carry, borrow, hi, lo;
    o[n] = uaddCarry(x, y, carry); o[n + 1u] = carry;
    o[n + 2u] = usubBorrow(x, y, borrow); o[n + 3u] = borrow;
    umulExtended(x, y, hi, lo); o[n + 4u] = hi; o[n + 5u] = lo;
    int shi, slo; imulExtended(sx, sy, shi, slo); o[n + 6u] = uint(shi);
    o[n + 7u] = bitfieldInsert(x, y, 3, 7); o[n + 8u] = bitfieldExtract(x, 5, 9); o[n + 9u] = uint(bitfieldExtract(sx, 4, 11));
    o[n + 10u] = bitfieldReverse(x); o[n + 11u] = uint(bitCount(x)); o[n + 12u] = uint(findLSB(x)); o[n + 13u] = uint(findMSB(x));
    o[n + 14u] = uint(findMSB(sx)); o[n + 15u] = x / (y | 1u); o[n + 16u] = x % (y | 1u); o[n + 17u] = uint(sx / (sy | 1));
    o[n + 18u] = uint(abs(sx)) ^ uint(sign(sx)); o[n + 19u] = uint(clamp(sx, -100, 100)) + min(x, y) * max(x, y);
    o[n + 20u] = (x << (y & 31u)) ^ (x >> (y & 31u)) ^ uint(sx >> (sy & 31)); o[n + 21u] = ~x & (x ^ y) | 5u;
    o[n + 22u] = uint(sx < sy) | uint(x < y) << 1 | uint(sx >= sy) << 2 | uint(x >= y) << 3 | uint(x == y) << 4;
    o[n + 23u] = uint(ivec2(sx, sy) == ivec2(sy, sx)) + uint(-sx);
}
