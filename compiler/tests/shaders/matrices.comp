#version 450
layout(local_size_x = 2) in;
layout(std430, binding = 0) buffer Out { float o[]; };
void main() {
    float t = float(gl_LocalInvocationIndex);
    mat2 a = mat2(2, 1, 3, 4 + t);
    mat3 b = mat3(2, 0, 1, 1, 3, 2, 1, 1, 4 + t);
    mat4 c = mat4(2, 0, 1, 0, 1, 3, 2, 1, 1, 1, 4, 2, 0, 1, 2, 5 + t);
    mat2 ia = a * inverse(a); mat3 ib = b * inverse(b); mat4 ic = c * inverse(c);
    uint n = gl_LocalInvocationIndex * 40u;
    for (int i = 0; i < 4; ++i) for (int j = 0; j < 4; ++j) o[n + uint(i * 4 + j)] = ic[i][j];
    for (int i = 0; i < 3; ++i) for (int j = 0; j < 3; ++j) o[n + 16u + uint(i * 3 + j)] = ib[i][j];
    for (int i = 0; i < 2; ++i) for (int j = 0; j < 2; ++j) o[n + 25u + uint(i * 2 + j)] = ia[i][j];
    o[n + 29u] = determinant(a); o[n + 30u] = determinant(b); o[n + 31u] = determinant(c);
    o[n + 32u] = matrixCompMult(b, b)[2].y; o[n + 33u] = (b * vec3(1, t, 2)).z; o[n + 34u] = (vec4(1, 2, t, 3) * c).w;
}
