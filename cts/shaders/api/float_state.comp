#version 450
// Multiplications that round or become denormal, and divisions that some processors can be told to trap.
layout(local_size_x = 8) in;
layout(binding = 0) buffer Data { float x[8]; float product[8]; float quotient[8]; };
layout(push_constant) uniform Push { float a, b; };
void main() {
    uint i = gl_LocalInvocationIndex;
    product[i] = x[i] * a;
    quotient[i] = x[i] / b;
}
