#version 450
// Eight independent chains of multiply-adds: what the arithmetic units give.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer A { float a[]; };
layout(push_constant) uniform P { uint rounds; float m; float c; };
void main() {
    float v = a[gl_GlobalInvocationID.x];
    float s[8];
    for (int i = 0; i < 8; ++i) {
        s[i] = v + float(i);
    }
    for (uint k = 0; k < rounds; ++k) {
        for (int i = 0; i < 8; ++i) {
            s[i] = s[i] * m + c;
        }
    }
    float sum = 0.0;
    for (int i = 0; i < 8; ++i) {
        sum += s[i];
    }
    a[gl_GlobalInvocationID.x] = sum;
}
