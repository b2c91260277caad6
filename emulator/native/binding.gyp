{
  # Linux only: elsewhere there is no system call to stand below, and nothing is built.
  'targets': [
    {
      'target_name': 'skerry_below',
      'conditions': [
        ['OS=="linux"', {
          'sources': [
            'addon/addon.cc', 'addon/agent.cc', 'addon/channel.cc', 'addon/caller.cc', 'addon/message.cc', 'addon/path-calls.cc',
          ],
          'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
          'defines': [
            'NAPI_VERSION=9', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED',
            # An event that is delivered while the environment is torn down has nobody to throw at.
            'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
          ],
          'cflags_cc': ['-std=c++17', '-Wall', '-Wextra', '-O2'],
        }, { 'type': 'none' }],
      ],
    },
    {
      'target_name': 'skerry_launch',
      'conditions': [
        ['OS=="linux"', {
          'type': 'executable',
          'sources': [
            'launch/main.c', 'launch/run.c', 'launch/init.c', 'launch/confine.c', 'launch/devices.c', 'launch/filter.c',
            'launch/hide.c', 'launch/channel.c', 'launch/network.c', 'launch/netlink.c', 'launch/try-device.c',
          ],
          'cflags_c': ['-std=gnu11', '-Wall', '-Wextra', '-O2'],
        }, { 'type': 'none' }],
      ],
    },
  ],
}
