// variant: special_exp_log EXPRESSION=exp(x)+log(x)+exp2(-x)+log2(x)
// variant: special_trigonometry EXPRESSION=sin(x)+cos(x)*tan(0.1*x)+atan(x)
// variant: special_pow EXPRESSION=pow(x,2.2)+sqrt(x)*inversesqrt(x+1.0)+tanh(x)
#version 450
// Functions of one number, eight times over.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer A { float a[]; };
layout(std430, binding = 1) writeonly buffer B { float b[]; };
void main() {
    float v = a[gl_GlobalInvocationID.x];
    float sum = 0.0;
    for (int k = 0; k < 8; ++k) {
        float x = v + 0.125 * float(k);
        sum += EXPRESSION;
    }
    b[gl_GlobalInvocationID.x] = sum;
}
