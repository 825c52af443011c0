#version 450
// Control flow that diverges: loops with break and continue, switch with fall-through, early return, nested functions,
// local arrays indexed by data.
layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) buffer O { uint o[]; };
uint collatz(uint n) {
    uint steps = 0;
    while (n != 1) {
        if ((n & 1) == 0) { n >>= 1; ++steps; continue; }
        n = n * 3 + 1;
        ++steps;
        if (steps > 200) return 9999;
    }
    return steps;
}
uint classify(uint n) {
    uint r = 0;
    switch (n % 7) {
    case 0: r += 1;
    case 1: r += 10; break;
    case 2: for (uint k = 0; k < n; ++k) { if (k == 5) break; r += k; } break;
    case 3: return 12345;
    case 5: r = 55;
    default: r += 1000;
    }
    return r + 2;
}
void main() {
    uint i = gl_GlobalInvocationID.x;
    uint n = a[i];
    o[3 * i] = collatz(n % 1000 + 1);
    o[3 * i + 1] = classify(n);
    uint table[8];
    for (uint k = 0; k < 8; ++k) table[k] = k * k;
    table[n & 7] = 500;
    uint s = 0;
    for (uint k = 0; k <= (n & 7); ++k) {
        for (uint m = k; m < 8; ++m) {
            if (((m * n) & 3) == 1) continue;
            if (m == 6 && (n & 16) != 0) break;
            s += table[m];
        }
    }
    if ((n & 32) != 0) return;
    o[3 * i + 2] = s;
}
