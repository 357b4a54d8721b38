{
  'variables': {
    # Set by scripts/setup.mjs: warnings are errors for us, not for a user with next year's compiler.
    'werror': '<!(echo ${IPCKIT_WERROR:+-Werror})',
  },
  'targets': [
    {
      'target_name': 'ipckit',
      'sources': [
        'native/addon.cc',
        'native/node/fifo_queue.cc',
        'native/node/mapping.cc',
        'native/node/pipe.cc',
        'native/node/posix_memory.cc',
        'native/node/posix_queue.cc',
        'native/node/posix_semaphore.cc',
        'native/node/sysv_memory.cc',
        'native/node/sysv_queue.cc',
        'native/node/sysv_semaphore.cc',
        'native/node/unix_socket.cc',
        'native/node/wait.cc',
        'native/sys/blocking_calls.cc',
        'native/sys/bus_guard.cc',
        'native/sys/fifo.cc',
        'native/sys/interrupt.cc',
        'native/sys/mapping.cc',
        'native/sys/pipe.cc',
        'native/sys/posix_memory.cc',
        'native/sys/posix_queue.cc',
        'native/sys/posix_semaphore.cc',
        'native/sys/readiness.cc',
        'native/sys/record_fifo.cc',
        'native/sys/sysv_memory.cc',
        'native/sys/sysv_queue.cc',
        'native/sys/sysv_semaphore.cc',
        'native/sys/unix_address.cc',
        'native/sys/unix_socket.cc',
      ],
      'include_dirs': [
        'native',
        '<!(node -p "require(\'node-addon-api\').include_dir")',
      ],
      'defines': [
        'NAPI_VERSION=9',
        'NAPI_DISABLE_CPP_EXCEPTIONS',
        'NODE_ADDON_API_DISABLE_DEPRECATED',
      ],
      'cflags': ['-Wall', '-Wextra', '<@(werror)', '-fvisibility=hidden'],
      'cflags_cc': ['-std=c++20'],
      # mq_open(3), shm_open(3) and timer_create(2) lived in librt before glibc 2.34, and dladdr(3) in libdl; the
      # libraries are empty since.
      'libraries': ['-lrt', '-ldl'],
    },
  ],
}
