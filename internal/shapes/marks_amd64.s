#include "textflag.h"

DATA quote<>+0(SB)/8, $0x2222222222222222
DATA quote<>+8(SB)/8, $0x2222222222222222
GLOBL quote<>(SB), RODATA|NOPTR, $16

DATA slash<>+0(SB)/8, $0x5c5c5c5c5c5c5c5c
DATA slash<>+8(SB)/8, $0x5c5c5c5c5c5c5c5c
GLOBL slash<>(SB), RODATA|NOPTR, $16

DATA alike<>+0(SB)/8, $0x2626262626262626
DATA alike<>+8(SB)/8, $0x2626262626262626
GLOBL alike<>(SB), RODATA|NOPTR, $16

DATA bracket<>+0(SB)/8, $0x7f7f7f7f7f7f7f7f
DATA bracket<>+8(SB)/8, $0x7f7f7f7f7f7f7f7f
GLOBL bracket<>(SB), RODATA|NOPTR, $16

// MARK has in to which bytes of the block, X0 to X3, are those of X4. It uses X5 to X8.
#define MARK(to) \
	MOVO     X0, X5      \
	MOVO     X1, X6      \
	MOVO     X2, X7      \
	MOVO     X3, X8      \
	PCMPEQB  X4, X5      \
	PCMPEQB  X4, X6      \
	PCMPEQB  X4, X7      \
	PCMPEQB  X4, X8      \
	PMOVMSKB X5, to      \
	PMOVMSKB X6, BX      \
	PMOVMSKB X7, CX      \
	PMOVMSKB X8, DX      \
	SHLQ     $16, BX     \
	SHLQ     $32, CX     \
	SHLQ     $48, DX     \
	ORQ      BX, to      \
	ORQ      CX, to      \
	ORQ      DX, to

// func marks(b *[block]byte) (quotes, slashes, brackets uint64)
TEXT ·marks(SB), NOSPLIT, $0-32
	MOVQ  b+0(FP), AX
	MOVOU 0(AX), X0
	MOVOU 16(AX), X1
	MOVOU 32(AX), X2
	MOVOU 48(AX), X3
	MOVOU quote<>(SB), X4
	MARK(SI)
	MOVQ  SI, quotes+8(FP)
	MOVOU slash<>(SB), X4
	MARK(DI)
	MOVQ  DI, slashes+16(FP)
	MOVOU alike<>(SB), X4
	POR   X4, X0
	POR   X4, X1
	POR   X4, X2
	POR   X4, X3
	MOVOU bracket<>(SB), X4
	MARK(R8)
	MOVQ  R8, brackets+24(FP)
	RET

DATA letter<>+0(SB)/8, $0x7575757575757575
DATA letter<>+8(SB)/8, $0x7575757575757575
GLOBL letter<>(SB), RODATA|NOPTR, $16

// func escapesIn(b []byte) bool
TEXT ·escapesIn(SB), NOSPLIT, $0-25
	MOVQ  b_base+0(FP), AX
	MOVQ  b_len+8(FP), CX
	SHRQ  $6, CX
	MOVOU slash<>(SB), X4
	MOVOU letter<>(SB), X5
	PXOR  X6, X6

next:
	MOVOU   0(AX), X0
	MOVOU   1(AX), X1
	PCMPEQB X4, X0
	PCMPEQB X5, X1
	PAND    X1, X0
	POR     X0, X6
	MOVOU   16(AX), X0
	MOVOU   17(AX), X1
	PCMPEQB X4, X0
	PCMPEQB X5, X1
	PAND    X1, X0
	POR     X0, X6
	MOVOU   32(AX), X0
	MOVOU   33(AX), X1
	PCMPEQB X4, X0
	PCMPEQB X5, X1
	PAND    X1, X0
	POR     X0, X6
	MOVOU   48(AX), X0
	MOVOU   49(AX), X1
	PCMPEQB X4, X0
	PCMPEQB X5, X1
	PAND    X1, X0
	POR     X0, X6
	ADDQ    $64, AX
	DECQ    CX
	JNZ     next

	PMOVMSKB X6, AX
	TESTL    AX, AX
	SETNE    ret+24(FP)
	RET
