// variant: stencil
// variant: stencil_shared TILE
#version 450
// One step of the five-point heat equation on n×n points; the border stays as it is.
layout(local_size_x = 16, local_size_y = 16) in;
layout(std430, binding = 0) readonly buffer A { float a[]; };
layout(std430, binding = 1) writeonly buffer B { float b[]; };
layout(push_constant) uniform P { uint n; float k; };
#ifdef TILE
shared float tile[18][18];
#endif
void main() {
    uint x = gl_GlobalInvocationID.x, y = gl_GlobalInvocationID.y;
    bool inside = x > 0 && y > 0 && x < n - 1 && y < n - 1;
    uint at = y * n + x;
#ifdef TILE
    uint i = gl_LocalInvocationID.x + 1, j = gl_LocalInvocationID.y + 1;
    tile[j][i] = a[at];
    if (i == 1 && x > 0) tile[j][0] = a[at - 1];
    if (i == 16 && x < n - 1) tile[j][17] = a[at + 1];
    if (j == 1 && y > 0) tile[0][i] = a[at - n];
    if (j == 16 && y < n - 1) tile[17][i] = a[at + n];
    barrier();
    float c = tile[j][i];
    if (inside) {
        c += k * (tile[j][i - 1] + tile[j][i + 1] + tile[j - 1][i] + tile[j + 1][i] - 4.0 * c);
    }
#else
    float c = a[at];
    if (inside) {
        c += k * (a[at - 1] + a[at + 1] + a[at - n] + a[at + n] - 4.0 * c);
    }
#endif
    b[at] = c;
}
