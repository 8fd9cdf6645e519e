# SPDX-License-Identifier: Apache-2.0
"""Arguments with an opinion: calls on files, pipes, sockets and events."""
import struct

from pools import BAD


class Files:
    def arg_openat_flags(self):
        self.value(self.open_flags())

    arg_open_flags = arg_openat_flags

    def arg_memfd_create_flags(self):
        self.value(self.pick([0, 0, 1, 2, 2, 2, 3, 8, 10, 16, 24, 0x80, 1 << 31]))

    def arg_poll_timeout(self):
        self.value(self.pick([0, 0, 0, 1, 5, -1]))

    arg_epoll_wait_timeout = arg_epoll_pwait_timeout = arg_poll_timeout

    def arg_select_n(self):
        self.value(self.pick([0, 4, 8, 16, 64, -1]))

    arg_pselect6_n = arg_select_n

    def arg_fcntl_cmd(self):
        self.command = self.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 17, 36, 37, 38, 1025, 1026, 1027, 1030, 1031, 1032, 1033,
                                  1034, 1035, 1036, 99])
        self.value(self.command)

    def arg_fcntl_arg(self):
        if self.command in (5, 6, 7, 36, 37, 38):
            data = struct.pack("<hhiqqi4x", self.pick([0, 1, 2, 9]), self.pick([0, 0, 1, 2, 5]), 0, self.pick([0, 1, 10, 100, -5, 2**63 - 1]),
                               self.pick([0, 1, 10, 100, -1, -10, 2**63 - 1]), self.pick([0, 0, 0, 3]))
            address = self.blob(data)
            self.dump(address, 32, "flock")
            return self.value(address, data[:24].hex())
        if self.command in (15, 16, 17, 1035, 1036):
            address = self.blob(struct.pack("<QQ", self.pick([0, 1, 2, 5, 6]), 0))
            self.dump(address, 16, "byte")
            return self.value(address)
        if self.command == 4:
            return self.value(self.pick([0, 0o4000, 0o2000, 0o6000, 0o20000, 0o1000000, 1, 0o40000]))
        if self.command == 1033:
            return self.value(self.pick([0, 1, 2, 4, 8, 16, 31, 64]))
        if self.command in (10,):
            return self.value(self.pick([0, 10, 34, 65, -1]))
        if self.command == 8:
            return self.value(self.pick([0, 0x7ffffff, -30000]))
        return self.value(self.pick([0, 1, 2, 5, 20, 63, 64, 4096, 8192, 1 << 20, 1 << 30, -1]))

    def arg_ioctl_request(self):
        self.value(self.pick([0x541b, 0x541b, 0x5421, 0x5421, 0x5450, 0x5451, 0x5452, 0x5401, 0x5413, 0x5411, 2, 0x5460, 0x40049409, 0x80086601,
                              0xc020660b, 0x12345678, 0, 0x8901, 0x8902, 0x8903, 0x8904]))

    def arg_ioctl_arg(self):
        address = self.blob(struct.pack("<Q", self.pick([0, 1, 1, 100])))
        if self.chance(0.05):
            return self.value(BAD)
        self.dump(address, 8, "byte")
        self.value(address)

    def arg_socket_domain(self):
        self.value(self.pick([1, 1, 1, 1, 1, 0, 99, 60, -1]))

    arg_socketpair_domain = arg_socket_domain

    def arg_socket_type(self):
        self.value(self.pick([1, 2, 5, 1, 2, 5, 1, 3, 10, 99]) | self.pick([0, 0o4000, 0o4000, 0o2000000, 0o4000, 1 << 16]))

    arg_socketpair_type = arg_socket_type

    def arg_socket_protocol(self):
        self.value(self.pick([0, 0, 0, 0, 1, 2, -1]))

    arg_socketpair_protocol = arg_socket_protocol

    def arg_setsockopt_level(self):
        self.value(self.pick([1, 1, 1, 1, 1, 0, 6, 99]))

    arg_getsockopt_level = arg_setsockopt_level

    def arg_msg_flags(self):
        self.value(self.pick([0, 0x40, 0x40, 0x40, 0x4040, 0x42, 2, 0x20, 0x60, 0x140, 0x40000040, 0x80, 0x4000, 0x2000, 0x10040]))

    arg_sendto_flags = arg_recvfrom_flags = arg_sendmsg_flags = arg_recvmsg_flags = arg_sendmmsg_flags = arg_recvmmsg_flags = arg_msg_flags

    def arg_inotify_rm_watch_wd(self):
        self.value(self.pick([1, 1, 2, 3, 0, -1]))

    def arg_inotify_add_watch_mask(self):
        self.value(self.pick([0xfff, 0xfff, 0xfff, 0x100, 0x2, 0x3c0, 0x20000fff, 0x80000fff, 0x10000fff, 0x01000fff, 0, 0x2000fff, 0x4000fff, 1 << 20]))

    def arg_setxattrat_args(self):
        data = struct.pack("<QII", self.blob(b"value"), self.pick([0, 1, 5, 5]), self.pick([0, 0, 1, 2]))
        self.value(self.blob(data))

    def arg_getxattrat_args(self):
        value = self.place(64)
        self.dump(value, 64, "byte")
        self.value(self.blob(struct.pack("<QII", value, self.pick([0, 1, 5, 64]), self.pick([0, 0, 0, 1]))))

    def arg_xattrat_size(self):
        self.value(self.pick([16, 16, 16, 15, 0]))

    arg_setxattrat_size = arg_getxattrat_size = arg_xattrat_size

    def arg_setxattr_size_value(self):
        self.value(self.pick([0, 1, 5, 100, 65536, 65537]))

    arg_setxattr_size = arg_lsetxattr_size = arg_fsetxattr_size = arg_setxattr_size_value

    def arg_transfer_flags(self):
        # Without RWF_NOWAIT, RWF_ATOMIC and RWF_DONTCACHE: which file systems know them is not the same everywhere.
        self.value(self.pick([0, 0, 0, 1, 2, 4, 6, 0x10, 0x20, 1 << 20]))

    arg_preadv2_flags = arg_pwritev2_flags = arg_transfer_flags

    def arg_splice_len(self):
        self.value(self.pick([0, 1, 10, 4096, 100000]))

    arg_tee_len = arg_sendfile_count = arg_copy_file_range_len = arg_splice_len

    def arg_splice_flags(self):
        self.value(self.pick([2, 2, 2, 0, 3, 16]))

    arg_tee_flags = arg_vmsplice_flags = arg_splice_flags

    def arg_mknod_mode(self):
        self.value(self.pick([0o100644, 0o10644, 0o10644, 0o140644, 0, 0o20644, 0o60644, 0o40755, 0o120777]))

    arg_mknodat_mode = arg_mknod_mode
