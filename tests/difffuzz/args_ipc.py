# SPDX-License-Identifier: Apache-2.0
"""Arguments with an opinion: System V IPC, message queues, asynchronous I/O and futexes."""
import struct

from pools import BAD, LOAD64, M64


class Ipc:
    def arg_mq_open_oflag(self):
        self.value(self.pick([0, 1, 2, 0o102, 0o102, 0o4102, 0o4102, 0o302, 3]))

    def arg_mq_open_name(self):
        text = self.pick([b"q0", b"q0", b"q0", b"q1", b"", b"a/b", b"/q0", b"x" * 256, b".", b".."])
        self.value(self.blob(text + b"\0"), repr(text[:20]))

    arg_mq_unlink_name = arg_mq_open_name

    def arg_semget_nsems(self):
        self.value(self.pick([0, 1, 2, 3, 3, -1, 32001]))

    def arg_ipc_flags(self):
        self.value(self.pick([0o1600, 0o1600, 0o3600, 0o1666, 0, 0o600, 0o1000]))

    arg_shmget_shmflg = arg_semget_semflg = arg_msgget_msgflg = arg_ipc_flags

    def arg_shmget_size(self):
        self.value(self.pick([0, 1, 4096, 4097, 20000, M64]))

    def arg_shmid(self):
        self.ipc_id("shm")

    arg_shmat_shmid = arg_shmctl_shmid = arg_shmid

    def arg_semid(self):
        self.ipc_id("sem")

    arg_semop_semid = arg_semtimedop_semid = arg_semctl_semid = arg_semid

    def arg_msqid(self):
        self.ipc_id("msg")

    arg_msgsnd_msqid = arg_msgrcv_msqid = arg_msgctl_msqid = arg_msqid

    def ipc_id(self, kind):
        if self.ids[kind] and self.chance(0.93):
            return self.reference(self.pick(self.ids[kind]))
        self.value(self.pick([-1, 0x7ffffff0]))

    def arg_shmat_shmflg(self):
        self.value(self.pick([0, 0o10000, 0o20000, 0o40000, 0o60000]))

    def arg_ipc_cmd(self):
        self.value(self.pick([0, 1, 2, 2, 2, 99]))

    arg_shmctl_cmd = arg_msgctl_cmd = arg_ipc_cmd

    def arg_semctl_cmd(self):
        self.command = self.pick([0, 1, 2, 11, 12, 13, 14, 15, 16, 17, 99])
        self.value(self.command)

    def arg_semctl_arg(self):
        if self.command == 16:
            return self.value(self.pick([0, 1, 5, 32767, 32768, -1]))
        data = struct.pack("<8H", *[self.pick([0, 1, 2, 32767]) for _ in range(8)]) if self.command == 17 else bytes(20) + struct.pack("<I", 0o600) + bytes(88)
        address = self.blob(data)
        self.dump(address, 16 if self.command in (13, 17) else 104, "semctl")
        self.value(address)

    def arg_ctl_buf(self):
        address = self.blob(bytes(20) + struct.pack("<I", self.pick([0o600, 0o400, 0])) + bytes(96))
        self.dump(address, 112, "ipcctl")
        self.value(address)

    arg_shmctl_buf = arg_msgctl_buf = arg_ctl_buf

    def arg_msgsnd_msgp(self):
        self.value(self.blob(struct.pack("<q", self.pick([1, 1, 2, 3, 0, -1])) + bytes(range(100))))

    def arg_msgsnd_msgsz(self):
        self.value(self.pick([0, 1, 10, 100, 8192, 8193, M64]))

    def arg_msgrcv_msgp(self):
        address = self.place(256)
        self.dump(address, 256, "byte")
        self.value(address)

    def arg_msgrcv_msgsz(self):
        self.value(self.pick([0, 1, 10, 100, 200, M64]))

    def arg_msgrcv_msgtyp(self):
        self.value(self.pick([0, 0, 1, 2, -2, -3, 2**63]))

    def arg_msgsnd_msgflg(self):
        self.value(self.pick([0o4000, 0o4000, 0, 0o14000, 0o24000, 0o54000]))

    arg_msgrcv_msgflg = arg_msgsnd_msgflg

    def arg_robust_list(self):
        self.value(self.pick([0, 24]))

    arg_set_robust_list_len = arg_robust_list

    def arg_futex_word(self):
        self.value(self.word() if self.chance(0.95) else self.pick([0, BAD]))

    arg_futex_uaddr = arg_futex_uaddr2 = arg_futex_wake_uaddr = arg_futex_wait_uaddr = arg_futex_word

    def arg_futex_op(self):
        self.value(self.pick([0, 1, 1, 3, 4, 5, 6, 7, 8, 9, 10, 13, 2, 99]) | self.pick([0, 0x80, 0x80, 0x100]))

    def arg_futex_val(self):
        self.value(self.pick([0, 1, 0xa5a5a5a5, 0x7fffffff, -1]))

    def arg_futex_val3(self):
        self.value(self.pick([0, 1, 0xa5a5a5a5, -1, 0x01001001]))

    def arg_futex_timeout(self):
        # A pointer for some operations, a count for others.
        self.value(self.blob(struct.pack("<qq", *self.pick([(0, 1000000), (0, 0), (0, 10**9), (-1, 0)]))) if self.chance(0.8) else self.pick([0, 1, 2]))

    def arg_futex2_flags(self):
        self.value(self.pick([2, 2, 0x82, 0x82, 0, 1, 3, 0x8]))

    arg_futex_wake_flags = arg_futex_wait_flags = arg_futex2_flags

    def arg_futex_mask(self):
        self.value(self.pick([0xffffffff, 1, 0, 1 << 32, M64]))

    arg_futex_wake_mask = arg_futex_wait_mask = arg_futex_mask

    def arg_aio_context(self):
        if self.ids["aio"] and self.chance(0.9):
            return self.reference(self.pick(self.ids["aio"]))
        self.value(self.pick([0, 77]))

    arg_io_destroy_ctx_id = arg_io_submit_ctx_id = arg_io_getevents_ctx_id = arg_io_cancel_ctx_id = arg_io_pgetevents_ctx_id = arg_aio_context

    def arg_io_setup_nr_events(self):
        self.value(self.pick([0, 1, 4, 10, 0x7fffffff]))

    def arg_io_setup_ctx_idp(self):
        address = self.blob(struct.pack("<Q", 0 if self.chance(0.95) else 1))
        self.ids["aio"].append((LOAD64, address))
        self.value(address)

    def arg_io_submit_nr(self):
        self.value(self.pick([1, 1, 1, 2, 0, -1]))

    def arg_io_submit_iocbpp(self):
        pointers = b""
        for _ in range(2):
            size = self.pick([0, 1, 10, 100, 5000])
            buffer = self.place(max(size, 1))
            iocb = struct.pack("<QIiHhIQQqQII", self.rng.randrange(1000), 0, self.pick([0, 0, 0, 1, 64]), self.pick([0, 1, 0, 1, 2, 3, 5, 6, 7, 8, 9, 20]), 0,
                               self.some_fd_number(), buffer, size, self.pick([0, 0, 10, -1]), 0, self.pick([0, 0, 0, 1, 2]), self.some_fd_number())
            self.dump(buffer, size, "byte")
            pointers += struct.pack("<Q", self.blob(iocb))
        self.value(self.blob(pointers))

    def arg_io_events(self):
        address = self.place(128)
        self.dump(address, 128, "io_event")
        self.value(address)

    arg_io_getevents_events = arg_io_pgetevents_events = arg_io_cancel_result = arg_io_events

    def arg_io_min(self):
        self.value(self.pick([0, 1, 1, 2, -1]))

    arg_io_getevents_min_nr = arg_io_pgetevents_min_nr = arg_io_min

    def arg_io_nr(self):
        self.value(self.pick([1, 4, 4, 0, -1]))

    arg_io_getevents_nr = arg_io_pgetevents_nr = arg_io_nr

    def arg_io_timeout(self):
        self.value(self.blob(struct.pack("<qq", 0, self.pick([0, 0, 1000000]))))

    arg_io_getevents_timeout = arg_io_pgetevents_timeout = arg_io_timeout

    def arg_io_pgetevents_sig(self):
        self.value(0)

    def arg_io_cancel_iocb(self):
        self.value(self.blob(bytes(64)))
