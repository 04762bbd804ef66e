console.debug('lounge')
