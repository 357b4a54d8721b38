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
        'native/node/posix_queue.cc',
        'native/node/sysv_queue.cc',
        'native/node/wait.cc',
        'native/sys/blocking_calls.cc',
        'native/sys/futex_waits.cc',
        'native/sys/interrupt.cc',
        'native/sys/posix_queue.cc',
        'native/sys/readiness.cc',
        'native/sys/sysv_queue.cc',
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
      # mq_open(3) and timer_create(2) lived in librt before glibc 2.34; the library is empty since.
      'libraries': ['-lrt'],
    },
  ],
}
