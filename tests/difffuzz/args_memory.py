# SPDX-License-Identifier: Apache-2.0
"""Arguments with an opinion: calls on memory."""
from pools import M64, PLAYGROUND


class Memory:
    def arg_memory_address(self):
        self.value(self.page())

    arg_mmap_addr = arg_munmap_addr = arg_mprotect_addr = arg_madvise_addr = arg_msync_addr = arg_mlock_addr = arg_mlock2_addr = \
        arg_munlock_addr = arg_mseal_addr = arg_mremap_old_address = arg_mremap_new_address = arg_remap_file_pages_addr = \
        arg_mincore_addr = arg_mbind_addr = arg_pkey_mprotect_addr = arg_memory_address

    def arg_memory_size(self):
        self.value(self.span())

    arg_mmap_length = arg_munmap_length = arg_mprotect_len = arg_madvise_length = arg_msync_length = arg_mlock_len = arg_mlock2_len = \
        arg_munlock_len = arg_mseal_len = arg_mremap_old_size = arg_mremap_new_size = arg_remap_file_pages_size = \
        arg_mincore_length = arg_mbind_len = arg_pkey_mprotect_len = arg_memory_size

    def arg_mmap_flags(self):
        # Always at a fixed place: where else a kernel puts a mapping is its own affair.
        self.value(self.pick([0x12, 0x12, 0x11, 0x32, 0x32, 0x31, 0x100022, 0x100002, 0x13, 0x10, 0x30, 0x8032, 0x4032, 0x2012]))

    def arg_mmap_prot(self):
        self.value(self.pick([0, 1, 3, 3, 3, 5, 2, 4, 0x80, 0x1000003, 7]))

    arg_mprotect_prot = arg_mmap_prot

    def arg_mmap_offset(self):
        self.value(self.pick([0, 0, 0, 4096, 8192, 1, 1 << 40, M64 - 4095]))

    def arg_mremap_flags(self):
        self.value(self.pick([3, 3, 3, 0, 2, 7, 8]))

    def arg_mincore_vec(self):
        self.value(self.place(64))

    def arg_brk_addr(self):
        self.value(self.pick([0, 1, PLAYGROUND]))

    def arg_shmat_shmaddr(self):
        self.value(self.page())

    arg_shmdt_shmaddr = arg_shmat_shmaddr

    def arg_madvise_advice(self):
        self.value(self.pick([0, 1, 2, 3, 4, 4, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23, 24, 99, -1]))
