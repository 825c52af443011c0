#version 450
// 32-bit integer operations, edges included.
layout(local_size_x = 32) in;
layout(std430, binding = 0) readonly buffer A { int a[]; };
layout(std430, binding = 1) readonly buffer B { int b[]; };
layout(std430, binding = 2) buffer O { int o[]; };
layout(push_constant) uniform Push { uint n; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= n) return;
    int x = a[i], y = b[i];
    uint u = uint(x), v = uint(y);
    uint k = 0;
#define OUT(e) o[(k++) * n + i] = int(e)
    OUT(x / y);             // 0; y == 0: any value, but no harm
    OUT(x % y);             // 1
    OUT(u / v);             // 2
    OUT(u % v);             // 3
    OUT(x >> (v & 31));     // 4
    OUT(u >> (v & 31));     // 5
    OUT(x << (v & 31));     // 6
    OUT(findMSB(x));        // 7
    OUT(findMSB(u));        // 8
    OUT(findLSB(x));        // 9
    OUT(bitCount(x));       // 10
    OUT(bitfieldReverse(x)); // 11
    int at = int(v & 15), bits = int((v >> 4) & 15);
    OUT(bitfieldExtract(x, at, bits)); // 12
    OUT(bitfieldExtract(u, at, bits)); // 13
    OUT(bitfieldInsert(x, y, at, bits)); // 14
    uint hi, lo;
    umulExtended(u, v, hi, lo);
    OUT(hi);                // 15
    int shi, slo;
    imulExtended(x, y, shi, slo);
    OUT(shi);               // 16
    uint carry;
    OUT(uaddCarry(u, v, carry)); // 17
    OUT(carry);             // 18
    uint borrow;
    OUT(usubBorrow(u, v, borrow)); // 19
    OUT(borrow);            // 20
    OUT(abs(x));            // 21
    OUT(sign(x));           // 22
    OUT(min(x, y));         // 23
    OUT(max(u, v));         // 24
    OUT(clamp(x, -5, 77));  // 25
    OUT(x < y);             // 26
    OUT(u >= v);            // 27
    OUT(lo);                // 28
    OUT(slo);               // 29
}
