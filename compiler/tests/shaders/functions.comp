#version 450
layout(local_size_x = 8) in;
struct S { vec2 v; int n[3]; bool b; };
layout(std430, binding = 0) buffer Out { uint o[]; };
int early(inout int a, out int b, in int c) {
    b = a + c;
    if (c > 3) { a = 1; return 17; }
    for (int i = 0; i < c; ++i) { a += i; if (a > 4) return a; }
    return -c;
}
S change(S s, int k) { s.v *= float(k); s.n[k % 3] = k; s.b = !s.b; return s; }
void arr(inout int x[4], const int k) { for (int i = 0; i < 4; ++i) x[i] = x[(i + k) & 3] + k; }
int twice(int x) { return x * 2; }
int four(int x) { return twice(twice(x)); }
void main() {
    int i = int(gl_LocalInvocationIndex), a = i, b;
    int r = early(a, b, i);
    S s = S(vec2(1.5, 2.5), int[3](4, 5, 6), i > 3);
    s = change(change(s, i), i + 1);
    int x[4] = int[4](1, 2, 3, 4);
    arr(x, i);
    uint at = uint(i) * 10u;
    o[at] = uint(r); o[at + 1u] = uint(a); o[at + 2u] = uint(b);
    o[at + 3u] = floatBitsToUint(s.v.x + s.v.y); o[at + 4u] = uint(s.n[0] * 100 + s.n[1] * 10 + s.n[2]);
    o[at + 5u] = s.b ? 1u : 0u; o[at + 6u] = uint(x[0]); o[at + 7u] = uint(x[i & 3]); o[at + 8u] = uint(four(i));
    o[at + 9u] = uint(early(x[1], x[2], 2) + x[1] + x[2]);
}
