{
  'variables': {
    # Set by scripts/setup.mjs: warnings are errors for us, not for a user with next year's compiler.
    'werror': '<!(echo ${IPCKIT_WERROR:+-Werror})',
  },
  'targets': [
    {
      'target_name': 'ipckit',
      'sources': ['<!@(ls native/addon.cc native/sys/*.cc native/node/*.cc)'],
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
