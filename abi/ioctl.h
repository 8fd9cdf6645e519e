/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_IOCTL_H
#define SENTRY_ABI_IOCTL_H

#include <stdint.h>

/* Terminals (ioctl_tty(2)) and the calls that every file has */
#define LX_TCGETS	   0x5401
#define LX_TCSETS	   0x5402
#define LX_TCSETSW	   0x5403
#define LX_TCSETSF	   0x5404
#define LX_TCGETA	   0x5405
#define LX_TCSETA	   0x5406
#define LX_TCSETAW	   0x5407
#define LX_TCSETAF	   0x5408
#define LX_TCSBRK	   0x5409
#define LX_TCXONC	   0x540a
#define LX_TCFLSH	   0x540b
#define LX_TIOCEXCL	   0x540c
#define LX_TIOCNXCL	   0x540d
#define LX_TIOCSCTTY	   0x540e
#define LX_TIOCGPGRP	   0x540f
#define LX_TIOCSPGRP	   0x5410
#define LX_TIOCOUTQ	   0x5411
#define LX_TIOCSTI	   0x5412
#define LX_TIOCGWINSZ	   0x5413
#define LX_TIOCSWINSZ	   0x5414
#define LX_TIOCMGET	   0x5415
#define LX_TIOCGSOFTCAR	   0x5419
#define LX_TIOCSSOFTCAR	   0x541a
#define LX_FIONREAD	   0x541b
#define LX_TIOCINQ	   0x541b
#define LX_TIOCCONS	   0x541d
#define LX_TIOCPKT	   0x5420
#define LX_FIONBIO	   0x5421
#define LX_TIOCNOTTY	   0x5422
#define LX_TIOCSETD	   0x5423
#define LX_TIOCGETD	   0x5424
#define LX_TCSBRKP	   0x5425
#define LX_TIOCSBRK	   0x5427
#define LX_TIOCCBRK	   0x5428
#define LX_TIOCGSID	   0x5429
#define LX_TCGETS2	   0x802c542au
#define LX_TCSETS2	   0x402c542b
#define LX_TCSETSW2	   0x402c542c
#define LX_TCSETSF2	   0x402c542d
#define LX_TIOCGPTN	   0x80045430u
#define LX_TIOCSPTLCK	   0x40045431
#define LX_TIOCGDEV	   0x80045432u
#define LX_TIOCSIG	   0x40045436
#define LX_TIOCVHANGUP	   0x5437
#define LX_TIOCGPKT	   0x80045438u
#define LX_TIOCGPTLCK	   0x80045439u
#define LX_TIOCGEXCL	   0x80045440u
#define LX_TIOCGPTPEER	   0x5441
#define LX_TIOCGLCKTRMIOS  0x5456
#define LX_TIOCSLCKTRMIOS  0x5457
#define LX_FIONCLEX	   0x5450
#define LX_FIOCLEX	   0x5451
#define LX_FIOASYNC	   0x5452
#define LX_FIOQSIZE	   0x5460
#define LX_FIGETBSZ	   0x2
#define LX_FIBMAP	   0x1
#define LX_FICLONE	   0x40049409
#define LX_FICLONERANGE	   0x4020940d
#define LX_FIDEDUPERANGE   0xc0189436u
#define LX_FS_IOC_GETFLAGS 0x80086601u
#define LX_FS_IOC_SETFLAGS 0x40086602
#define LX_FIOSETOWN	   0x8901
#define LX_SIOCSPGRP	   0x8902
#define LX_FIOGETOWN	   0x8903
#define LX_SIOCGPGRP	   0x8904
/* FS_IOC_GETFLAGS, FS_IOC_SETFLAGS */
#define LX_FS_IMMUTABLE_FL 0x10
#define LX_FS_APPEND_FL	   0x20
#define LX_FS_NODUMP_FL	   0x40
#define LX_FS_NOATIME_FL   0x80
/* file_getattr(2): fa_xflags. Linux knows those of all file systems. */
#define LX_FS_XFLAG_IMMUTABLE 0x8
#define LX_FS_XFLAG_APPEND    0x10
#define LX_FS_XFLAG_NOATIME   0x40
#define LX_FS_XFLAG_NODUMP    0x80
#define LX_FS_XFLAGS_KNOWN    0x8001fffb

struct lx_file_attr {
	uint64_t xflags;
	uint32_t extsize, nextents, projid, cowextsize;
};

#define LX_FS_IOC_FIEMAP	 0xc020660bu
#define LX_FIFREEZE		 0xc0045877u
#define LX_FITHAW		 0xc0045878u
#define LX_FS_IOC_GETFSUUID	 0x80111500u
#define LX_FS_IOC_GETFSSYSFSPATH 0x80811501u
#define LX_FS_IOC_FSGETXATTR	 0x801c581fu

#define LX_NS_GET_USERNS 0xb701

#define LX_IOC_SIZE(cmd) (((cmd) >> 16) & 0x3fff)
#define LX_IOC_TYPE(cmd) (((cmd) >> 8) & 0xff)
#define LX_IOC_NR(cmd)	 ((cmd)&0xff)

#define LX_NCCS 19
struct lx_termios {
	uint32_t c_iflag;
	uint32_t c_oflag;
	uint32_t c_cflag;
	uint32_t c_lflag;
	uint8_t c_line;
	uint8_t c_cc[LX_NCCS];
};

struct lx_termios2 {
	uint32_t c_iflag;
	uint32_t c_oflag;
	uint32_t c_cflag;
	uint32_t c_lflag;
	uint8_t c_line;
	uint8_t c_cc[LX_NCCS];
	uint32_t c_ispeed;
	uint32_t c_ospeed;
};

/* The System V form of TCGETA */
struct lx_termio {
	uint16_t c_iflag;
	uint16_t c_oflag;
	uint16_t c_cflag;
	uint16_t c_lflag;
	uint8_t c_line;
	uint8_t c_cc[8];
};

struct lx_winsize {
	uint16_t ws_row;
	uint16_t ws_col;
	uint16_t ws_xpixel;
	uint16_t ws_ypixel;
};

struct lx_file_clone_range {
	int64_t src_fd;
	uint64_t src_offset;
	uint64_t src_length;
	uint64_t dest_offset;
};

#define LX_VINTR     0
#define LX_VQUIT     1
#define LX_VERASE    2
#define LX_VKILL     3
#define LX_VEOF	     4
#define LX_VTIME     5
#define LX_VMIN	     6
#define LX_VSWTC     7
#define LX_VSTART    8
#define LX_VSTOP     9
#define LX_VSUSP     10
#define LX_VEOL	     11
#define LX_VREPRINT  12
#define LX_VDISCARD  13
#define LX_VWERASE   14
#define LX_VLNEXT    15
#define LX_VEOL2     16
#define LX_IGNBRK    01
#define LX_BRKINT    02
#define LX_IGNPAR    04
#define LX_PARMRK    010
#define LX_INPCK     020
#define LX_ISTRIP    040
#define LX_INLCR     0100
#define LX_IGNCR     0200
#define LX_ICRNL     0400
#define LX_IUCLC     01000
#define LX_IXON	     02000
#define LX_IXANY     04000
#define LX_IXOFF     010000
#define LX_IMAXBEL   020000
#define LX_IUTF8     040000
#define LX_OPOST     01
#define LX_OLCUC     02
#define LX_ONLCR     04
#define LX_OCRNL     010
#define LX_ONOCR     020
#define LX_ONLRET    040
#define LX_OFILL     0100
#define LX_OFDEL     0200
#define LX_TABDLY    014000
#define LX_TAB0	     0
#define LX_XTABS     014000
#define LX_CBAUD     010017
#define LX_B0	     0
#define LX_B9600     015
#define LX_B38400    017
#define LX_B115200   010002
#define LX_CSIZE     060
#define LX_CS5	     0
#define LX_CS6	     020
#define LX_CS7	     040
#define LX_CS8	     060
#define LX_CSTOPB    0100
#define LX_CREAD     0200
#define LX_PARENB    0400
#define LX_PARODD    01000
#define LX_HUPCL     02000
#define LX_CLOCAL    04000
#define LX_CBAUDEX   010000
#define LX_BOTHER    010000
#define LX_CIBAUD    02003600000
#define LX_ADDRB     04000000000
#define LX_CMSPAR    010000000000
#define LX_CRTSCTS   020000000000
#define LX_ISIG	     01
#define LX_ICANON    02
#define LX_XCASE     04
#define LX_ECHO	     010
#define LX_ECHOE     020
#define LX_ECHOK     040
#define LX_ECHONL    0100
#define LX_NOFLSH    0200
#define LX_TOSTOP    0400
#define LX_ECHOCTL   01000
#define LX_ECHOPRT   02000
#define LX_ECHOKE    04000
#define LX_FLUSHO    010000
#define LX_PENDIN    040000
#define LX_IEXTEN    0100000
#define LX_EXTPROC   0200000
#define LX_TCOOFF    0
#define LX_TCOON     1
#define LX_TCIOFF    2
#define LX_TCION     3
#define LX_TCIFLUSH  0
#define LX_TCOFLUSH  1
#define LX_TCIOFLUSH 2
#define LX_TCSANOW   0
#define LX_TCSADRAIN 1
#define LX_TCSAFLUSH 2

#define LX_TIOCPKT_DATA	      0x0
#define LX_TIOCPKT_FLUSHREAD  0x1
#define LX_TIOCPKT_FLUSHWRITE 0x2
#define LX_TIOCPKT_STOP	      0x4
#define LX_TIOCPKT_START      0x8
#define LX_TIOCPKT_NOSTOP     0x10
#define LX_TIOCPKT_DOSTOP     0x20
#define LX_TIOCPKT_IOCTL      0x40

#define LX_N_TTY 0

#endif
