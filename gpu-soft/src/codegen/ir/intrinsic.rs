//! The intrinsics of LLVM that the code generator uses.

macro_rules! intrinsics {
    ($($variant:ident $name:literal,)*) => {
        /// An intrinsic, with the meaning of LLVM's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Intrinsic {
            $($variant,)*
        }

        impl Intrinsic {
            /// The intrinsic of a name.
            pub fn named(name: &str) -> Option<Intrinsic> {
                match name {
                    $($name => Some(Intrinsic::$variant),)*
                    _ => None,
                }
            }

            /// Its name, without types.
            pub fn name(self) -> &'static str {
                match self {
                    $(Intrinsic::$variant => $name,)*
                }
            }
        }
    };
}

intrinsics! {
    Abs "llvm.abs",
    ArithmeticFence "llvm.arithmetic.fence",
    BitReverse "llvm.bitreverse",
    Ceil "llvm.ceil",
    Ctlz "llvm.ctlz",
    Ctpop "llvm.ctpop",
    Cttz "llvm.cttz",
    Fabs "llvm.fabs",
    Floor "llvm.floor",
    FpToSiSat "llvm.fptosi.sat",
    FpToUiSat "llvm.fptoui.sat",
    Gather "llvm.masked.gather",
    MaskedLoad "llvm.masked.load",
    Scatter "llvm.masked.scatter",
    MaskedStore "llvm.masked.store",
    ReadCycleCounter "llvm.readcyclecounter",
    RoundEven "llvm.roundeven",
    SAddSat "llvm.sadd.sat",
    SMax "llvm.smax",
    SMin "llvm.smin",
    Sqrt "llvm.sqrt",
    Trunc "llvm.trunc",
    UAddSat "llvm.uadd.sat",
    UMax "llvm.umax",
    UMin "llvm.umin",
    USubSat "llvm.usub.sat",
    ReduceAdd "llvm.vector.reduce.add",
    CvttPs2Dq256 "llvm.x86.avx.cvtt.ps2dq.256",
    PermD256 "llvm.x86.avx2.permd",
    PmaddWd256 "llvm.x86.avx2.pmadd.wd",
    Expand "llvm.x86.avx512.mask.expand",
    CvttPs2Dq512 "llvm.x86.avx512.mask.cvttps2dq.512",
    CvttPs2Udq512 "llvm.x86.avx512.mask.cvttps2udq.512",
    GetexpPs512 "llvm.x86.avx512.mask.getexp.ps.512",
    GetmantPs512 "llvm.x86.avx512.mask.getmant.ps.512",
    ScalefPs512 "llvm.x86.avx512.mask.scalef.ps.512",
    PermVarD512 "llvm.x86.avx512.permvar.si.512",
    PmaddWd512 "llvm.x86.avx512.pmaddw.d.512",
    PermI2VarD512 "llvm.x86.avx512.vpermi2var.d.512",
    Pdep64 "llvm.x86.bmi.pdep.64",
    CvttPs2Dq128 "llvm.x86.sse2.cvttps2dq",
    StoreFence "llvm.x86.sse.sfence",
    PmaddWd128 "llvm.x86.sse2.pmadd.wd",
}
